//! `postgres://user:password@host:port/database?table=schema.table&sslmode=…` and back, without the password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::addresses::Addresses;
use crate::job::{PostgresTable, TlsMode};

const ENCODE: &str =
    "write `@`, `/`, `?` and `#` inside a user name, a password or a parameter as %40, %2F, %3F and %23";

impl PostgresTable {
    /// Reads a `postgres://` or `postgresql://` URI as libpq does, with one more parameter: `table=name` or
    /// `table=schema.name`. Names are taken as they are written; one that holds a dot stands in double quotes.
    /// The error is a sentence that never holds the password.
    pub fn parse(uri: &str) -> Result<Self, String> {
        let rest = uri
            .strip_prefix("postgres://")
            .or_else(|| uri.strip_prefix("postgresql://"))
            .ok_or("a Postgres source starts with postgres:// or postgresql://")?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // A password with a raw `@`, `/` or `?` would be cut in two and its tail taken for a host, a name or a parameter.
        if rest.contains('#') || authority.matches('@').count() > 1 || (!authority.contains('@') && tail.contains('@'))
        {
            return Err(format!("the URI cannot be read: {ENCODE}"));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));

        let (mut table, mut tls, mut root_certificate, mut kept) = (None, None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or("every parameter of the URI is written as name=value")?;
            match key {
                "table" => table = Some(table_name(&decode(value)?)?),
                "sslmode" => tls = Some(tls_mode(value)?),
                "sslrootcert" => root_certificate = Some(PathBuf::from(decode(value)?)),
                _ => kept.push(pair),
            }
        }
        let (schema, table) = table.ok_or("no table is named: add ?table=name or ?table=schema.name to the URI")?;
        let mut connection = format!("postgres://{authority}{path}");
        if !kept.is_empty() {
            connection.push('?');
            connection.push_str(&kept.join("&"));
        }
        let config = Config::from_str(&connection).map_err(|e| unreadable(&e))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("no host is named: write postgres://user@host/database?table=name".to_owned());
        }
        Ok(Self { connection, tls: tls.unwrap_or_default(), root_certificate, schema, table, addresses: None })
    }

    /// Lets the host be nothing but one of these. What is connected to is then one host, named once and plainly.
    pub fn fence(&mut self, addresses: Addresses) -> Result<(), String> {
        let config = Config::from_str(&self.connection).map_err(|e| unreadable(&e))?;
        let ([Host::Tcp(host)], []) = (config.get_hosts(), config.get_hostaddrs()) else {
            return Err(
                "a database is named by one host: postgres://user@host:port/database, without host= and hostaddr="
                    .to_owned(),
            );
        };
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            addresses.check(ip)?;
        }
        self.addresses = Some(addresses);
        Ok(())
    }

    /// The source as it may be shown: everything that says where the rows come from, and no password.
    pub fn display(&self) -> String {
        let mut text = "postgres://".to_owned();
        if let Ok(config) = Config::from_str(&self.connection) {
            if let Some(user) = config.get_user().filter(|_| self.connection.contains('@')) {
                text.push_str(user);
                text.push('@');
            }
            text.push_str(&address(&config));
            if let Some(database) = config.get_dbname() {
                text.push('/');
                text.push_str(database);
            }
        }
        text.push_str("?table=");
        text.push_str(&self.qualified_name());
        text
    }

    /// `schema.table`, with quotes where a name needs them to be read back.
    pub(super) fn qualified_name(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", shown(schema), shown(&self.table)),
            None => shown(&self.table),
        }
    }
}

impl fmt::Debug for PostgresTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresTable").field(&self.display()).finish()
    }
}

/// `host:port`, several when the URI names several.
pub(super) fn address(config: &Config) -> String {
    let hosts: Vec<String> = if config.get_hosts().is_empty() {
        config.get_hostaddrs().iter().map(ToString::to_string).collect()
    } else {
        config.get_hosts().iter().map(host_name).collect()
    };
    let ports = config.get_ports();
    let with_port = |(index, host): (usize, &String)| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    };
    hosts.iter().enumerate().map(with_port).collect::<Vec<_>>().join(",")
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

/// `name`, `schema.name`, `"Sche.ma"."na""me"`.
fn table_name(text: &str) -> Result<(Option<String>, String), String> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted).ok_or_else(|| format!("table={text}: a quote is not closed"))?,
            None => {
                let (name, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
                (name.to_owned(), after)
            }
        };
        if name.is_empty() || name.contains('\0') {
            return Err(format!("table={text}: a name is empty; write table=name or table=schema.name"));
        }
        names.push(name);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => break,
            None => return Err(format!("table={text}: a dot must stand between two quoted names")),
        }
    }
    let table = names.pop().unwrap_or_default();
    match names.len() {
        0 => Ok((None, table)),
        1 => Ok((names.pop(), table)),
        _ => Err(format!(
            "table={text}: more than a schema and a name; the database stands in the path of the URI, and a name that \
             holds a dot in double quotes"
        )),
    }
}

/// The name up to its closing quote, and what follows.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Some((name, after)),
        }
    }
}

fn shown(name: &str) -> String {
    if name.contains(['.', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

fn tls_mode(text: &str) -> Result<TlsMode, String> {
    Ok(match text {
        "disable" => TlsMode::Disable,
        "prefer" => TlsMode::Prefer,
        "require" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" => TlsMode::VerifyFull,
        _ => return Err("sslmode is one of disable, prefer, require, verify-ca and verify-full".to_owned()),
    })
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.ok_or("a % in the URI is followed by two hexadecimal digits; write a % itself as %25")?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| "a parameter of the URI is not UTF-8 text".to_owned())
}

/// The driver names the option that it does not know or whose value it cannot read, never a value.
fn unreadable(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    format!("the URI cannot be read: {cause}")
}
