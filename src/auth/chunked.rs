//! aws-chunked: the framing inside the body, decoded and verified piece by piece.

/// Signs chunks: the key, the scope and the signature that the next chunk's one builds on.
#[derive(Debug)]
pub struct ChunkSigner;
