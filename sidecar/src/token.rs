//! The pod's token.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hyper::header::HeaderValue;

/// Why there is no token to show. None of it holds the token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read the token from {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the token in {} is empty", .0.display())]
    Empty(PathBuf),
    #[error("the token in {} is not one: it holds what no token does, or is longer than 64 KiB", .0.display())]
    Malformed(PathBuf),
}

/// Reads the token as the value of an `Authorization` header. Each time afresh: the kubelet renews it.
pub(crate) fn authorization(path: &Path) -> Result<HeaderValue, Error> {
    let mut token = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_TOKEN + 1).read_to_string(&mut token));
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(Error::Malformed(path.into()));
        }
        Err(source) => return Err(Error::Read { path: path.into(), source }),
        Ok(_) => {}
    }
    let token = token.trim_ascii();
    if token.is_empty() {
        return Err(Error::Empty(path.into()));
    }
    if u64::try_from(token.len()).is_ok_and(|length| length > MAX_TOKEN)
        || !token.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(Error::Malformed(path.into()));
    }
    let mut header =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| Error::Malformed(path.into()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// In bytes; a service account's is about 1 KB.
const MAX_TOKEN: u64 = 64 * 1024;
