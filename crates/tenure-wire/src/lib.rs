//! The durable entry format, the built-in catalogues and the API types
