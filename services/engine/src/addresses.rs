//! Which addresses of the network may be connected to: those that are no trap. Callbacks and databases ask here, and what is
//! connected to is what was asked about: a name is looked up once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `refuse_private`: addresses of a network of one's own are refused too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Addresses {
    pub refuse_private: bool,
}

/// Where clouds tell machines who they are, outside of the link-local range: Alibaba, Azure, Oracle; Amazon and Google over
/// version 6.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

impl Addresses {
    /// Link-local addresses and those of metadata services are refused always.
    pub fn check(&self, ip: IpAddr) -> Result<(), String> {
        let ip = innermost(ip);
        let (forbidden, private) = match ip {
            IpAddr::V4(ip) => (
                ip.is_link_local() || ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast(),
                ip.is_private() || ip.is_loopback() || is_shared(ip),
            ),
            IpAddr::V6(ip) => (
                ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast(),
                ip.is_unique_local() || ip.is_loopback() || is_site_local(ip),
            ),
        };
        if forbidden || METADATA.contains(&ip) {
            return Err(format!("the address {ip} is not allowed: it is link-local, reserved or a metadata service"));
        }
        if private && self.refuse_private {
            return Err(format!(
                "the address {ip} is not allowed: it is private, and KALLA_PRIVATE_ADDRESSES is `refuse`"
            ));
        }
        Ok(())
    }

    /// Looks a name up. All that it stands for has to be allowed: whoever connects may take any of them.
    pub async fn find(&self, host: &str, port: u16) -> io::Result<Result<Vec<SocketAddr>, String>> {
        let found: Vec<_> = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?.collect();
        Ok(found.iter().try_for_each(|address| self.check(address.ip())).map(|()| found))
    }
}

/// An address of version 6 may hold one of version 4 that a translator on the way leads to.
fn innermost(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip.to_canonical() else { return ip.to_canonical() };
    let two = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // NAT64, the range for everybody; 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => two(high, low),
        // The old way of writing one in the other, but for `::` and `::1`.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => two(high, low),
        _ => IpAddr::V6(v6),
    }
}

/// 100.64.0.0/10, between a provider and its customers.
fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && (64..128).contains(&b)
}

/// fec0::/10, as private networks were once numbered, and 64:ff9b:1::/48, where one translates for itself.
fn is_site_local(ip: Ipv6Addr) -> bool {
    let [first, second, third, ..] = ip.segments();
    first & 0xffc0 == 0xfec0 || [first, second, third] == [0x64, 0xff9b, 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_are_refused_however_they_are_written() {
        let (open, closed) = (Addresses::default(), Addresses { refuse_private: true });
        for (ip, in_open, in_closed) in [
            ("93.184.216.34", true, true),
            ("2606:2800:220:1::1", true, true),
            ("127.0.0.1", true, false),
            ("10.1.2.3", true, false),
            ("172.31.255.255", true, false),
            ("192.168.0.1", true, false),
            ("100.64.0.1", true, false),
            ("::1", true, false),
            ("fd12::1", true, false),
            ("fec0::1", true, false),
            ("::ffff:10.0.0.1", true, false),
            ("64:ff9b::10.0.0.1", true, false),
            ("64:ff9b:1::1", true, false),
            ("2002:0a00:0001::", true, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("169.254.169.254", false, false),
            ("169.254.170.2", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("::169.254.169.254", false, false),
            ("64:ff9b::169.254.169.254", false, false),
            ("2002:a9fe:a9fe::1", false, false),
            ("100.100.100.200", false, false),
            ("168.63.129.16", false, false),
            ("192.0.0.192", false, false),
            ("fd00:ec2::254", false, false),
            ("fd20:ce::254", false, false),
            ("fe80::1", false, false),
            ("ff02::1", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
        ] {
            let address = ip.parse().unwrap();
            assert_eq!(open.check(address).is_ok(), in_open, "{ip}");
            assert_eq!(closed.check(address).is_ok(), in_closed, "{ip}");
        }
    }
}
