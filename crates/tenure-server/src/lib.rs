//! The engine loop, the questions' doors, configuration and metrics
