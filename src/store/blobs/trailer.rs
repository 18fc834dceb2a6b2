//! The trailer of a blob file, byte by byte.
