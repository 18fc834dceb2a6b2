//! The folders of the data folder: made, checked, opened, synced.
