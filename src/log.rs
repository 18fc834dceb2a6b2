//! What goes to standard error: set up once by the command line.
