"""Results for the tools that people already use: tables, data frames, TensorBoard, MLflow."""
