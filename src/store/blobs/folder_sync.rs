//! One fsync of a folder for all who wait for it.
