//! Who may call, as far as names and browsers tell. A page of another site runs in the browser of somebody who reaches this
//! server, and asks for it whatever it likes; a name of that site may lead here as well.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use kalla_proto::v1::Code;

use crate::address::{Address, PublicUrl};
use crate::answer::Refusal;

const FROM: HeaderName = HeaderName::from_static("sec-fetch-site");
const HOW: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What tells nothing about anything, and is asked by whatever checks health, under whichever name that is.
const OPEN: [&str; 3] = ["/", "/health", "/ready"];

/// Loopback names are answered always. Everything else is told to the server.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// `None`: whatever the name is, since something else tells who calls.
    names: Option<Vec<Name>>,
    /// `None`: there is no page, and no browser is answered.
    page: Option<OwnPage>,
}

#[derive(Debug, Clone)]
struct Name {
    host: String,
    /// The paths that are answered under it, with all that is below them; empty: all.
    paths: &'static [&'static str],
}

#[derive(Debug, Clone, Default)]
struct OwnPage {
    /// Where changes may come from besides the name that they are sent to.
    origin: Option<String>,
}

impl Callers {
    /// A server that has a page.
    pub fn with_page(public: Option<&PublicUrl>) -> Self {
        let names = public.map(|url| Name { host: url.host(), paths: &[] }).into_iter().collect();
        Self { names: Some(names), page: Some(OwnPage { origin: public.map(|url| url.origin()) }) }
    }

    /// A server for programs.
    pub fn programs(public: Option<&PublicUrl>) -> Self {
        Self { page: None, ..Self::with_page(public) }
    }

    /// A server for programs that bring a token.
    pub fn with_token() -> Self {
        Self { names: None, page: None }
    }

    /// What the operator listens on is a name as well, unless that is every address there is.
    #[must_use]
    pub fn and_listened_on(self, host: &str) -> Self {
        let host = plain(host);
        if host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) { self } else { self.and(host, &[]) }
    }

    /// Under the host of this address these paths are answered, and what is below them.
    #[must_use]
    pub fn and_at(self, address: &Address, paths: &'static [&'static str]) -> Self {
        self.and(address.host(), paths)
    }

    fn and(mut self, host: String, paths: &'static [&'static str]) -> Self {
        self.names = self.names.map(|mut names| {
            names.push(Name { host, paths });
            names
        });
        self
    }

    pub fn check(&self, request: &Request) -> Result<(), Refusal> {
        let hosts = hosts(request);
        let path = request.uri().path();
        if let Some(names) = &self.names
            && !OPEN.contains(&path)
            && (hosts.is_empty() || !hosts.iter().all(|host| is_answered(names, &host_name(host), path)))
        {
            return Err(misdirected(&hosts));
        }
        let foreign = match &self.page {
            None => request.headers().contains_key(ORIGIN) || said(request, &FROM).is_some_and(|from| from != "none"),
            Some(page) => page.refuses(request, &hosts),
        };
        if !foreign {
            return Ok(());
        }
        let what = if self.page.is_some() {
            "this comes from a page of another site"
        } else {
            "no browser is answered here: programs send no Origin"
        };
        Err(Refusal::new(StatusCode::FORBIDDEN, Code::Forbidden, what))
    }
}

impl OwnPage {
    fn refuses(&self, request: &Request, hosts: &[String]) -> bool {
        let elsewhere = said(request, &FROM).is_some_and(|from| matches!(from, "cross-site" | "same-site"));
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            // A link that somebody follows leads here from anywhere; what pages load by themselves does not.
            return elsewhere && said(request, &HOW) != Some("navigate");
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        elsewhere || !origins.all(|origin| origin.to_str().is_ok_and(|origin| self.is_own(origin, hosts)))
    }

    /// The page at the name that is asked, or at the public one: a proxy in front may have changed the name.
    fn is_own(&self, origin: &str, hosts: &[String]) -> bool {
        let Some((_, authority)) = origin.split_once("://") else { return false };
        match &self.origin {
            Some(public) if origin == public => true,
            Some(_) if !is_loopback(&host_name(authority)) => false,
            _ => hosts.iter().all(|host| host.eq_ignore_ascii_case(authority)),
        }
    }
}

fn is_answered(names: &[Name], host: &str, path: &str) -> bool {
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    is_loopback(host)
        || names
            .iter()
            .any(|name| name.host == host && (name.paths.is_empty() || name.paths.iter().any(|root| below(root))))
}

fn misdirected(hosts: &[String]) -> Refusal {
    let shown: String = hosts.join("`, `").chars().filter(|c| !c.is_control()).take(100).collect();
    let message = format!(
        "`{shown}` is no name of this server: use http://127.0.0.1, or have the operator set KALLA_PUBLIC_URL to the address that people use"
    );
    Refusal::new(StatusCode::MISDIRECTED_REQUEST, Code::Forbidden, message)
}

/// All that the request names, with their ports.
fn hosts(request: &Request) -> Vec<String> {
    let headers =
        request.headers().get_all(HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    headers.chain(request.uri().authority().map(ToString::to_string)).collect()
}

fn said<'a>(request: &'a Request, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or("unreadable"))
}

/// Without a port; empty where it is no host.
fn host_name(authority: &str) -> String {
    match authority.parse::<Authority>() {
        Ok(parsed) if !authority.contains('@') => plain(parsed.host()),
        _ => String::new(),
    }
}

/// Of an address in brackets what is in them; names in lower case.
fn plain(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

pub fn is_loopback(host: &str) -> bool {
    let host = plain(host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;

    use super::*;

    fn status(callers: &Callers, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        callers.check(&request.body(Body::empty()).unwrap()).map_or_else(|refusal| refusal.status().as_u16(), |()| 200)
    }

    #[test]
    fn names_are_answered_that_the_operator_has_told() {
        let public = "https://Kalla.Example.com".parse().unwrap();
        let inside = "http://app:3000/api/worker".parse().unwrap();
        let callers =
            Callers::with_page(Some(&public)).and_listened_on("0.0.0.0").and_at(&inside, &["/api/worker", "/metrics"]);
        for (host, path, expected) in [
            ("127.0.0.1:3000", "/api/runs", 200),
            ("LOCALHOST", "/api/runs", 200),
            ("[::1]:9", "/api/runs", 200),
            ("[::ffff:127.0.0.1]", "/api/runs", 200),
            ("127.8.9.1", "/api/runs", 200),
            ("kalla.example.com", "/api/runs", 200),
            ("KALLA.example.com.:443", "/api/runs", 200),
            ("app:3000", "/api/worker/complete", 200),
            ("app:3000", "/metrics", 200),
            ("app:3000", "/api/runs", 421),
            ("app:3000", "/api/workers", 421),
            ("app:3000", "/", 200),
            ("evil.example", "/health", 200),
            ("evil.example", "/api/runs", 421),
            ("evil.example", "/assets/x.js", 421),
            ("127.0.0.1.evil.example", "/api/runs", 421),
            ("127.0.0.1@evil.example", "/api/runs", 421),
            ("kalla.example.com.evil", "/api/runs", 421),
            ("10.0.0.7:3000", "/api/runs", 421),
            ("0.0.0.0:3000", "/api/runs", 421),
            ("", "/api/runs", 421),
            ("http://127.0.0.1", "/api/runs", 421),
        ] {
            assert_eq!(status(&callers, Method::GET, path, &[("host", host)]), expected, "{host} {path}");
        }
        assert_eq!(status(&callers, Method::GET, "/api/runs", &[]), 421);
        let both = [("host", "127.0.0.1"), ("host", "evil.example")];
        assert_eq!(status(&callers, Method::GET, "/api/runs", &both), 421);
        let absolute = status(&callers, Method::GET, "http://evil.example/api/runs", &[("host", "127.0.0.1")]);
        assert_eq!(absolute, 421);
        let bound = Callers::with_page(None).and_listened_on("10.0.0.7");
        assert_eq!(status(&bound, Method::GET, "/api/runs", &[("host", "10.0.0.7:3000")]), 200);
        assert_eq!(status(&bound, Method::GET, "/api/runs", &[("host", "kalla.example.com")]), 421);
    }

    #[test]
    fn changes_come_from_the_own_page_or_from_no_page() {
        let public = "https://kalla.example.com".parse().unwrap();
        let open = Callers::with_page(Some(&public));
        let local = Callers::with_page(None).and_listened_on("10.0.0.7");
        for (callers, host, origin, expected) in [
            (&open, "kalla.example.com", "https://kalla.example.com", 200),
            // A proxy that does not pass the name on.
            (&open, "127.0.0.1:3000", "https://kalla.example.com", 200),
            (&open, "127.0.0.1:3000", "http://127.0.0.1:3000", 200),
            (&open, "kalla.example.com", "http://kalla.example.com", 403),
            (&open, "kalla.example.com", "https://kalla.example.com:8443", 403),
            (&open, "kalla.example.com", "https://evil.example.com", 403),
            (&open, "kalla.example.com", "null", 403),
            (&local, "127.0.0.1:3000", "http://127.0.0.1:3000", 200),
            (&local, "10.0.0.7:3000", "http://10.0.0.7:3000", 200),
            (&local, "127.0.0.1:3000", "http://localhost:3000", 403),
            (&local, "127.0.0.1:3000", "http://127.0.0.1:8000", 403),
            (&local, "127.0.0.1:3000", "https://evil.example", 403),
            (&local, "127.0.0.1:3000", "", 403),
        ] {
            let headers = [("host", host), ("origin", origin)];
            assert_eq!(status(callers, Method::POST, "/api/runs", &headers), expected, "{host} {origin}");
            assert_eq!(status(callers, Method::DELETE, "/api/runs", &headers), expected, "{host} {origin}");
        }
        let host = ("host", "127.0.0.1:3000");
        assert_eq!(status(&local, Method::POST, "/api/runs", &[host]), 200);
        for (from, how, reads, changes) in [
            ("same-origin", "cors", 200, 200),
            ("none", "navigate", 200, 200),
            ("cross-site", "navigate", 200, 403),
            ("cross-site", "no-cors", 403, 403),
            ("same-site", "cors", 403, 403),
        ] {
            let headers = [host, ("sec-fetch-site", from), ("sec-fetch-mode", how)];
            assert_eq!(status(&local, Method::GET, "/api/runs", &headers), reads, "{from} {how}");
            assert_eq!(status(&local, Method::PUT, "/api/runs", &headers), changes, "{from} {how}");
        }
    }

    #[test]
    fn a_server_for_programs_answers_no_browser() {
        for callers in [Callers::programs(None), Callers::with_token()] {
            for (headers, expected) in [
                (&[] as &[(&str, &str)], 200),
                (&[("sec-fetch-site", "none")], 200),
                (&[("sec-fetch-site", "same-origin")], 403),
                (&[("sec-fetch-site", "cross-site")], 403),
                (&[("origin", "http://127.0.0.1:9090")], 403),
                (&[("origin", "null")], 403),
            ] {
                let headers = [headers, &[("host", "127.0.0.1:9090")]].concat();
                for method in [Method::GET, Method::POST] {
                    assert_eq!(status(&callers, method, "/api/jobs", &headers), expected, "{headers:?}");
                }
            }
        }
        let host = [("host", "worker:9090")];
        assert_eq!(status(&Callers::with_token(), Method::POST, "/api/jobs", &host), 200);
        assert_eq!(status(&Callers::programs(None), Method::POST, "/api/jobs", &host), 421);
        let named = "http://worker:9090".parse().unwrap();
        assert_eq!(status(&Callers::programs(Some(&named)), Method::POST, "/api/jobs", &host), 200);
    }
}
