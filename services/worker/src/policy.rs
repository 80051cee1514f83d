//! Whom a job may have called back.

use std::sync::Arc;

use kalla_engine::Addresses;
use kalla_serving::Address;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

#[derive(Debug, Clone)]
pub struct Policy {
    addresses: Addresses,
    /// Callbacks to this origin may be private all the same.
    trusted: Option<Arc<str>>,
}

impl Policy {
    pub fn new(addresses: Addresses) -> Self {
        Self { addresses, trusted: None }
    }

    /// The operator has named the place that is called back.
    #[must_use]
    pub fn trusting(self, callback: Option<&Address>) -> Self {
        Self { trusted: callback.map(|address| address.origin().into()), ..self }
    }

    /// Whether the operator has named where this leads to.
    pub fn trusts(&self, url: &Url) -> bool {
        self.trusted.as_ref().is_some_and(|origin| **origin == *url.origin().ascii_serialization())
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
        let addresses = Addresses { refuse_private: self.addresses.refuse_private && !self.trusts(&url) };
        match url.host() {
            Some(Host::Ipv4(ip)) => addresses.check(ip.into())?,
            Some(Host::Ipv6(ip)) => addresses.check(ip.into())?,
            Some(Host::Domain(_)) => {}
            None => return Err("the URL names no host".to_owned()),
        }
        Ok(url)
    }
}

/// Looks names up and gives only addresses that may be reached, so that a name cannot change its mind after the check.
impl Resolve for Policy {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.addresses;
        Box::pin(async move { Ok(Box::new(addresses.find(name.as_str(), 0).await??.into_iter()) as Addrs) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn callbacks_reach_no_traps() {
        let open = Policy::new(Addresses::default());
        let closed = Policy::new(Addresses { refuse_private: true });
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

    #[test]
    fn the_callback_of_the_operator_may_be_private() {
        let named = |url: &str| Policy::new(Addresses { refuse_private: true }).trusting(Some(&url.parse().unwrap()));
        let gateway = named("http://10.1.2.3:3000/api/worker");
        for (url, allowed) in [
            ("http://10.1.2.3:3000/api/worker", true),
            ("http://10.1.2.3:3000/elsewhere", true),
            ("http://10.1.2.3:3001/api/worker", false),
            ("https://10.1.2.3:3000/api/worker", false),
            ("http://10.1.2.4:3000/api/worker", false),
            ("http://127.0.0.1:3000/api/worker", false),
        ] {
            assert_eq!(gateway.callback(url).is_ok(), allowed, "{url}");
        }
        // Nobody may be named into these.
        assert!(named("http://169.254.169.254").callback("http://169.254.169.254/latest").is_err());
    }
}
