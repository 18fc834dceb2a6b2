//! More verbs of the [`Store`](super::Store), by what they are about. They stand at the same door
//! as those in its own file, and each is handed on to the file of its noun in [`super::meta`].

mod contents;
mod events;
mod progress;
