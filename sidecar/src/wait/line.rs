//! Lines out of chunks of bytes, of bounded length.

use dataservice_wire::MOST_LINE_BYTES;

/// What has come of a stream and is not read yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
}

/// A line that is longer than was agreed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a line is longer than {MOST_LINE_BYTES} bytes")]
pub(crate) struct TooLong;

// === impl Lines ===

impl Lines {
    /// Takes the next bytes. They are as many as the peer sent at once: take all lines out before more is put in.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// The next whole line, without its end; empty ones are passed over.
    pub(crate) fn pop(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
            line.pop();
            if line.len() > MOST_LINE_BYTES {
                return Err(TooLong);
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
        if self.bytes.len() > MOST_LINE_BYTES { Err(TooLong) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, TooLong> {
        let (mut buffer, mut lines) = (Lines::default(), Vec::new());
        for chunk in chunks {
            buffer.push(chunk);
            while let Some(line) = buffer.pop()? {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    #[test]
    fn empty_lines_and_an_unfinished_one_are_passed_over() {
        assert_eq!(lines(&[b"\n\r\na\n", b"\nb\nc"]), Ok(vec![b"a".to_vec(), b"b".to_vec()]));
    }

    #[test]
    fn a_line_of_the_greatest_length_is_read_and_a_longer_one_refused() {
        let longest = vec![b'a'; MOST_LINE_BYTES];
        assert_eq!(lines(&[&longest, b"\n"]), Ok(vec![longest.clone()]));
        assert_eq!(lines(&[&longest, b"a\n"]), Err(TooLong));
        assert_eq!(lines(&[&longest, b"a"]), Err(TooLong), "it is not waited for the end");
    }

    proptest! {
        #[test]
        fn where_chunks_end_changes_no_line(
            texts in prop::collection::vec("[a-z]{1,20}", 0..8), size in 1..40_usize,
        ) {
            let written: Vec<u8> = texts.iter().flat_map(|text| format!("{text}\n").into_bytes()).collect();
            let chunks: Vec<&[u8]> = written.chunks(size).collect();
            let expected: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(lines(&chunks), Ok(expected));
        }
    }
}
