//! Open uploads as an operator and as users see them.
