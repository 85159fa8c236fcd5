"""Speed and its price: training, models, engines, frames and folders, beside other people's code."""
