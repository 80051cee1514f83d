//! What a job may reach: local files under the roots that the operator names, and addresses that are no trap.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

#[derive(Debug, Clone)]
pub struct Policy {
    /// With links resolved.
    roots: Vec<PathBuf>,
    refuse_private: bool,
}

impl Policy {
    /// Roots that do not exist allow nothing, until they do: they are resolved here, once.
    pub fn new(roots: &[PathBuf], refuse_private: bool) -> Self {
        let resolved = roots.iter().filter_map(|root| resolve(root).ok()).collect();
        Self { roots: resolved, refuse_private }
    }

    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    pub fn refuses_private(&self) -> bool {
        self.refuse_private
    }

    /// The path with its links resolved, if it is under one of the roots.
    pub fn file(&self, path: &Path) -> Result<PathBuf, String> {
        let shown = path.display();
        let resolved = resolve(path).map_err(|reason| format!("`{shown}`: {reason}"))?;
        if self.roots.iter().any(|root| resolved.starts_with(root)) {
            return Ok(resolved);
        }
        Err(format!(
            "`{shown}` is outside of the directories that this worker may use: move the file, or have the operator add its directory to KALLA_FILE_ROOTS"
        ))
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

/// The part that exists is resolved by the system; what does not exist yet cannot hold a link.
fn resolve(path: &Path) -> Result<PathBuf, String> {
    let absolute = std::path::absolute(path).map_err(|e| e.to_string())?;
    if absolute.components().any(|c| c == Component::ParentDir) {
        return Err("`..` is not allowed in a path".to_owned());
    }
    let mut rest = Vec::new();
    let mut there = absolute.as_path();
    loop {
        match there.canonicalize() {
            Ok(found) => return Ok(rest.iter().rev().fold(found, |path, name| path.join(name))),
            // A link that leads nowhere is there, and may lead somewhere later.
            Err(_) if there.is_symlink() => return Err("a link on the way leads nowhere".to_owned()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => match (there.file_name(), there.parent()) {
                (Some(name), Some(parent)) => {
                    rest.push(name.to_owned());
                    there = parent;
                }
                _ => return Err(e.to_string()),
            },
            Err(e) => return Err(e.to_string()),
        }
    }
}

/// Looks names up and gives only addresses that may be reached, so that a name cannot change its mind after the check.
impl Resolve for Policy {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.clone();
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
    fn files_are_used_under_the_roots_only() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir_all(inside.join("deep")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("away")).unwrap();
        std::os::unix::fs::symlink(inside.join("deep"), inside.join("near")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), inside.join("broken")).unwrap();
        let policy = Policy::new(std::slice::from_ref(&inside), false);
        for (path, allowed) in [
            ("in/a.csv", true),
            ("in/deep/new/dir", true),
            ("in/near/a.csv", true),
            ("in", true),
            ("out/a.csv", false),
            ("in/away/a.csv", false),
            ("in/broken", false),
            ("in/../out/a.csv", false),
            ("inner/a.csv", false),
        ] {
            assert_eq!(policy.file(&dir.path().join(path)).is_ok(), allowed, "{path}");
        }
    }

    #[test]
    fn callbacks_reach_no_traps() {
        let open = Policy::new(&[], false);
        let closed = Policy::new(&[], true);
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
