//! What of the address of a source may be shown: everything but credentials.

use kalla_spelling::almost_address;
use url::Url;

/// Parameters of an address whose names hold one of these are not shown.
const SECRET: [&str; 6] = ["password", "passwd", "secret", "token", "key", "credential"];

/// `uri` without user, password and secret parameters, and whether there were any.
///
/// What is no URL is a path and shown as it is. A URL that cannot be read is not shown at all.
pub fn shown(uri: &str) -> (String, bool) {
    if !uri.contains("://") {
        return match almost_address(uri) {
            Some(scheme) => (format!("{scheme}:…"), true),
            None => (uri.to_owned(), false),
        };
    }
    let Ok(mut url) = Url::parse(uri) else {
        let scheme = uri.split("://").next().unwrap_or_default();
        return (format!("{scheme}://…"), true);
    };
    let mut secret = !url.username().is_empty() || url.password().is_some();
    if secret && (url.set_password(None).is_err() || url.set_username("").is_err()) {
        return (format!("{}://…", url.scheme()), true);
    }
    let open = |name: &str| {
        let name = name.to_lowercase();
        name != "user" && !SECRET.iter().any(|part| name.contains(part))
    };
    if url.query_pairs().any(|(name, _)| !open(&name)) {
        secret = true;
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| open(name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
    }
    (if secret { url.to_string() } else { uri.to_owned() }, secret)
}

/// What to store when `given` comes in place of `known`: an address as it was shown stands for the one that is known.
pub fn merged(given: &str, known: Option<&str>) -> String {
    match known {
        Some(known) if shown(known).0 == given => known.to_owned(),
        _ => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out_and_everything_else_stays() {
        for (given, expected) in [
            ("bank.csv", None),
            ("/data/a:b@c.csv", None),
            ("file:///data/bank.csv", None),
            ("s3://bucket/key=1/x.parquet", None),
            ("postgres://db.example/shop?table=sales.orders", None),
            ("postgres://me@db/shop?table=t", Some("postgres://db/shop?table=t")),
            ("postgres://me:pass@db:5433/shop?table=t", Some("postgres://db:5433/shop?table=t")),
            ("postgres://:pass@db/shop?table=t", Some("postgres://db/shop?table=t")),
            ("postgres://db/shop?user=me&password=p&table=t", Some("postgres://db/shop?table=t")),
            ("postgresql://db/shop?sslpassword=p", Some("postgresql://db/shop")),
            ("s3://id:secret@bucket/key", Some("s3://bucket/key")),
            ("s3://bucket/key?aws_secret_access_key=x", Some("s3://bucket/key")),
            ("postgres://me:pa ss@[broken/shop?table=t", Some("postgres://…")),
            ("postgres:/me:pass@db/shop?table=t", Some("postgres:…")),
            ("PostgreSQL:me:pass@db/shop", Some("PostgreSQL:…")),
            ("2026-01-01T10:00.csv", None),
            ("postgres.csv", None),
        ] {
            let (text, secret) = shown(given);
            assert_eq!((text.as_str(), secret), (expected.unwrap_or(given), expected.is_some()), "{given}");
        }
    }

    #[test]
    fn an_address_that_comes_back_as_it_was_shown_keeps_its_credentials() {
        let known = "postgres://me:pass@db/shop?table=t";
        assert_eq!(merged("postgres://db/shop?table=t", Some(known)), known);
        assert_eq!(merged("postgres://db/shop?table=u", Some(known)), "postgres://db/shop?table=u");
        assert_eq!(merged("postgres://you:new@db/shop?table=t", Some(known)), "postgres://you:new@db/shop?table=t");
        assert_eq!(merged("postgres://db/shop?table=t", None), "postgres://db/shop?table=t");
    }
}
