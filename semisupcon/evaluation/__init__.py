"""What a paper's tables and figures are made from: encoders on tasks, with and without training, under corruption."""
