//! The file that names the name servers, `resolv.conf(5)`.

use std::net::{IpAddr, SocketAddr};

use super::PORT;

/// The name servers of a `resolv.conf`, in order. Lines that name none are passed over, as the libc does; so are
/// link-local addresses with an interface (`fe80::1%eth0`), which no pod is given.
pub(super) fn nameservers(text: &str) -> Vec<SocketAddr> {
    text.lines().filter_map(nameserver).take(MAX_NAMESERVERS).collect()
}

fn nameserver(line: &str) -> Option<SocketAddr> {
    let mut words = line.split_ascii_whitespace();
    let address: IpAddr = match words.next()? {
        "nameserver" => words.next()?.parse().ok()?,
        _ => return None,
    };
    Some(SocketAddr::new(address, PORT))
}

/// The libc's `MAXNS`.
const MAX_NAMESERVERS: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Vec<String> {
        nameservers(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pods_file_names_its_server() {
        let text =
            "search flyte.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
        assert_eq!(parse(text), ["10.96.0.10:53"]);
    }

    #[test]
    fn servers_keep_their_order_up_to_the_libcs_limit() {
        let text =
            "nameserver\t10.0.0.2\r\n nameserver fd00::a # first\nnameserver 10.0.0.1\nnameserver 10.0.0.9\n";
        assert_eq!(parse(text), ["10.0.0.2:53", "[fd00::a]:53", "10.0.0.1:53"]);
    }

    #[test]
    fn lines_that_name_no_server_are_passed_over() {
        let text = "#nameserver 10.0.0.1\n;nameserver 10.0.0.1\nnameserver\nnameserver dns\nnameservers 10.0.0.1\nnameserver fe80::1%eth0\n";
        assert_eq!(parse(text), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_file_makes_the_parser_panic(text in "(nameserver \\PC*|\\PC|\n)*") {
            prop_assert!(nameservers(&text).len() <= MAX_NAMESERVERS);
        }
    }
}
