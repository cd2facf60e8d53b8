"""What values were where a model was trained; knows neither contract nor batch."""
