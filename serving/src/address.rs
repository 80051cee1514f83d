//! Addresses of servers, as operators set them.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Where another server is: `http://worker:9090`. It holds nothing that is secret, so it may be shown to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl FromStr for Address {
    type Err = String;

    /// The error does not repeat the text, in which there may be a password.
    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write an address such as http://localhost:9090";
        let url = Url::parse(text.trim()).map_err(|e| format!("this is no URL ({e}): {EXAMPLE}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("it begins with neither http:// nor https://: {EXAMPLE}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user or a password, which would be shown with it: leave them out".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("nothing follows the path: {EXAMPLE}"));
        }
        Ok(Self(url))
    }
}

impl Address {
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// In lower case, without brackets.
    pub fn host(&self) -> String {
        match self.0.host() {
            Some(Host::Ipv6(ip)) => ip.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }
}

/// Without a slash at the end.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Where people reach a server, as their browsers show it: `https://kalla.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Address);

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address: Address = text.parse()?;
        if address.0.path() != "/" {
            return Err("it is a scheme and a name, without a path: https://kalla.example.com".to_owned());
        }
        Ok(Self(address))
    }
}

impl std::ops::Deref for PublicUrl {
    type Target = Address;

    fn deref(&self) -> &Address {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_address_holds_no_secret() {
        for (text, shown) in [
            ("http://localhost:9090", "http://localhost:9090"),
            ("http://localhost:9090/", "http://localhost:9090"),
            (" https://Kalla.example.com/api/worker/", "https://kalla.example.com/api/worker"),
            ("http://[::1]:3", "http://[::1]:3"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in [
            "http://kalla:s3cret@worker:9090",
            "http://s3cret@worker:9090",
            "http://worker:9090?token=s3cret",
            "http://worker:9090#s3cret",
            "s3cret",
            "postgres://u:s3cret@h/x",
            "http://u:s3cret@",
            "",
        ] {
            let told = text.parse::<Address>().unwrap_err();
            assert!(!told.contains("s3cret"), "{text}: {told}");
        }
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_name() {
        for text in
            ["https://kalla.example.com", "https://kalla.example.com/", "http://10.1.2.3:3000", "http://[::1]:3"]
        {
            assert!(text.parse::<PublicUrl>().is_ok(), "{text}");
        }
        for text in ["kalla.example.com", "ftp://x", "https://x/kalla", "https://u:p@x", "https://x?y", "", "https://"]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
