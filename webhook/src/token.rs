//! The token in a request.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// A bearer token. It does not print.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Token(String);

// === impl Token ===

impl Token {
    /// The token of a request with `headers`, if there is exactly one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then(|| Self(token.to_owned()))
    }

    /// The token itself, for the API server and nobody else.
    pub(crate) fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn token(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        Token::of(&headers).map(Token::reveal)
    }

    #[test]
    fn a_bearer_token_is_found() {
        assert_eq!(token(&["Bearer a.b.c"]).as_deref(), Some("a.b.c"));
        assert_eq!(token(&["bearer  a.b.c "]).as_deref(), Some("a.b.c"));
    }

    #[test]
    fn anything_else_is_none() {
        for values in [&[][..], &["a.b.c"], &["Basic a"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(token(values), None, "{values:?}");
        }
    }

    #[test]
    fn a_token_does_not_print() {
        assert_eq!(format!("{:?}", Token("secret".to_owned())), "Token(…)");
    }
}
