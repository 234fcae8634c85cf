"""What pretraining and everything downstream share: the command line, the run's folder, its history, its errors."""
