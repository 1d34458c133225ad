"""One model and an empty folder: the SchedCP paper's motivating experiment."""
