//! The oracle, the harness and the end-to-end tests
