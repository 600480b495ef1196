//! How far the reader of an answer has come.

/// What a reader says of the bytes that it has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The answer is whole. What follows is not looked at.
    Complete,
    /// More bytes are needed. If the stream ends here, this is what is wrong.
    Partial(&'static str),
}
