//! Which addresses a job may reach: those that are no trap.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// `refuse_private`: addresses of a network of one's own are refused too.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    refuse_private: bool,
}

impl Policy {
    pub fn new(refuse_private: bool) -> Self {
        Self { refuse_private }
    }

    pub fn refuses_private(&self) -> bool {
        self.refuse_private
    }

    /// A URL to call back: http or https, to an address that may be reached.
    pub fn callback(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|e| format!("this is not a URL: {e}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}://` cannot be called back: use http:// or https://", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a callback URL holds no user or password: use callback_token".to_owned());
        }
        match url.host() {
            Some(Host::Ipv4(ip)) => self.address(ip.into())?,
            Some(Host::Ipv6(ip)) => self.address(ip.into())?,
            Some(Host::Domain(_)) => {}
            None => return Err("the URL names no host".to_owned()),
        }
        Ok(url)
    }

    /// Link-local addresses are where clouds hand out credentials.
    pub fn address(&self, ip: IpAddr) -> Result<(), String> {
        let ip = ip.to_canonical();
        let (forbidden, private) = match ip {
            IpAddr::V4(ip) => (
                ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip == ALIBABA,
                ip.is_private() || ip.is_loopback() || is_shared(ip),
            ),
            IpAddr::V6(ip) => (
                ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast() || is_amazon_metadata(ip),
                ip.is_unique_local() || ip.is_loopback(),
            ),
        };
        if forbidden {
            return Err(format!("the address {ip} is not allowed: it is link-local, reserved or a metadata service"));
        }
        if private && self.refuse_private {
            return Err(format!(
                "the address {ip} is not allowed: it is private, and KALLA_PRIVATE_ADDRESSES is `refuse`"
            ));
        }
        Ok(())
    }

    /// A host of a source, by name or by address.
    pub async fn host(&self, host: &str, port: u16) -> Result<(), String> {
        let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
        // A name that does not resolve is told by whoever connects.
        for address in found.into_iter().flatten() {
            self.address(address.ip())?;
        }
        Ok(())
    }
}

const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);

/// 100.64.0.0/10, between a provider and its customers.
fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && (64..128).contains(&b)
}

fn is_amazon_metadata(ip: std::net::Ipv6Addr) -> bool {
    ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
}

/// Looks names up and gives only addresses that may be reached, so that a name cannot change its mind after the check.
impl Resolve for Policy {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = *self;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                policy.address(address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_reach_no_traps() {
        let open = Policy::new(false);
        let closed = Policy::new(true);
        for (url, in_open, in_closed) in [
            ("http://127.0.0.1:3000/api/worker", true, false),
            ("http://10.1.2.3/", true, false),
            ("http://[::1]/", true, false),
            ("http://[::ffff:10.0.0.1]/", true, false),
            ("https://kalla.example.com/x", true, true),
            ("http://93.184.216.34/", true, true),
            ("http://169.254.169.254/latest", false, false),
            ("http://[::ffff:169.254.169.254]/", false, false),
            ("http://2852039166/", false, false),
            ("http://0.0.0.0/", false, false),
            ("http://[fd00:ec2::254]/", false, false),
            ("http://100.100.100.200/", false, false),
            ("file:///etc/passwd", false, false),
            ("http://user:pw@example.com/", false, false),
            ("nonsense", false, false),
        ] {
            assert_eq!(open.callback(url).is_ok(), in_open, "{url}");
            assert_eq!(closed.callback(url).is_ok(), in_closed, "{url}");
        }
    }
}
