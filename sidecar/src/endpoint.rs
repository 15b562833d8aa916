//! Where the lifecycle API is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;
use rustls_pki_types::ServerName;

use crate::dns::Name;

/// The lifecycle API, as `https://<host>:<port>` names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Endpoint {
    /// `<host>:<port>` as written, for the `Host` header and for people.
    authority: String,
    host: Host,
    port: u16,
    server_name: ServerName<'static>,
}

/// The host of a URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Host {
    /// An address: there is nothing to resolve.
    Address(IpAddr),
    /// A full name.
    Name(Name),
}

/// A URL that is not one of a lifecycle API.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?}: https://<host> or https://<host>:<port> is wanted, without a path")]
pub(crate) struct InvalidEndpoint(String);

// === impl Endpoint ===

impl Endpoint {
    /// The `Host` header's value.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Where to connect to.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The name that the certificate has to hold.
    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }

    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if uri.scheme_str() != Some("https") || path != "/" {
            return None;
        }
        let authority = uri.authority()?;
        let port = authority.port_u16();
        // Nothing else may stand beside host and port: a user, a password, a port that is none.
        let plain =
            port.map_or_else(|| authority.host().to_owned(), |port| format!("{}:{port}", authority.host()));
        if plain != authority.as_str() || port == Some(0) {
            return None;
        }
        let host = Host::parse(authority.host())?;
        Some(Self {
            server_name: host.server_name()?,
            host,
            port: port.unwrap_or(HTTPS_PORT),
            authority: plain,
        })
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Self::parse(url).ok_or_else(|| InvalidEndpoint(url.into()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority)
    }
}

// === impl Host ===

impl Host {
    fn parse(host: &str) -> Option<Self> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match bare.unwrap_or(host).parse() {
            Ok(address) => Some(Self::Address(address)),
            Err(_) => host.parse().ok().map(Self::Name),
        }
    }

    fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Address(address) => Some((*address).into()),
            Self::Name(name) => name.to_string().try_into().ok(),
        }
    }
}

const HTTPS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_names_host_and_port() {
        for (url, host, port) in [
            ("https://api.flyte.svc.cluster.local:9444", "api.flyte.svc.cluster.local", 9444),
            ("https://api.flyte.svc.cluster.local.:9444/", "api.flyte.svc.cluster.local", 9444),
            ("https://API.flyte", "api.flyte", 443),
        ] {
            let endpoint: Endpoint = url.parse().unwrap();
            assert_eq!(endpoint.host(), &Host::Name(host.parse().unwrap()), "{url}");
            assert_eq!(endpoint.port(), port, "{url}");
            assert_eq!(endpoint.server_name(), host.try_into().unwrap(), "{url}");
        }
    }

    #[test]
    fn a_host_may_be_an_address() {
        for (url, address) in [("https://127.0.0.1:9444", "127.0.0.1"), ("https://[fd00::a]:9444", "fd00::a")]
        {
            let endpoint: Endpoint = url.parse().unwrap();
            assert_eq!(endpoint.host(), &Host::Address(address.parse().unwrap()));
            assert_eq!(endpoint.to_string(), url);
        }
    }

    #[test]
    fn any_other_url_is_refused() {
        for url in [
            "",
            "api:9444",
            "http://api:9444",
            "https://",
            "https://api:0",
            "https://api:99999",
            "https://api:",
            "https://user:word@api:9444",
            "https://api:9444/v1",
            "https://api:9444/?a",
            "https://a..b",
            "https://-",
            "https://[fd00::a",
        ] {
            let message =
                format!("{url:?}: https://<host> or https://<host>:<port> is wanted, without a path");
            assert_eq!(url.parse::<Endpoint>().map_err(|error| error.to_string()), Err(message));
        }
    }

    proptest! {
        #[test]
        fn no_url_makes_the_parser_panic(url in "(https://)?\\PC*") {
            let _ = url.parse::<Endpoint>();
        }
    }
}
