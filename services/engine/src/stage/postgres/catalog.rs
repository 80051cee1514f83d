//! What the server's catalog says: which table a name means, and what its columns are.

use kalla_spelling::nearest;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::columns::{Cast, Kind, TableColumn};
use super::connect::Connector;
use crate::error::{Error, Place, Result};
use crate::job::PostgresTable;

/// A table, view or anything else that can be selected from.
#[derive(Debug, Clone)]
pub struct Relation {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    /// `pg_class.relkind`: r table, p partitioned table, m materialized view, v view, f foreign table.
    pub kind: char,
}

impl Relation {
    /// The name as it stands in SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// An identifier as it stands in SQL, whatever is in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a server is and what it can do.
#[derive(Debug, Clone)]
pub struct Server {
    pub version: String,
    pub version_number: i32,
    pub database: String,
    pub database_oid: i64,
}

pub async fn server(client: &Client, connector: &Connector) -> Result<Server> {
    let sql = "SELECT current_setting('server_version'), current_setting('server_version_num')::int4, \
               current_database()::text, (SELECT oid::int8 FROM pg_database WHERE datname = current_database())";
    let row = client.query_typed(sql, &[]).await.and_then(|mut rows| {
        let row = rows.pop();
        row.map_or(Ok(None), |row| {
            Ok(Some(Server {
                version: row.try_get(0)?,
                version_number: row.try_get(1)?,
                database: row.try_get(2)?,
                database_oid: row.try_get(3)?,
            }))
        })
    });
    row.map_err(|e| connector.failed(&e))?.ok_or_else(|| Error::defect("the server told nothing"))
}

/// Finds the table that the URI names, by the search path of the role when it names no schema.
pub async fn resolve(
    client: &Client,
    connector: &Connector,
    alias: &str,
    server: &Server,
    table: &PostgresTable,
) -> Result<Relation> {
    let name = match &table.schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(&table.table)),
        None => quoted(&table.table),
    };
    let sql = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";
    let found = client.query_typed(sql, &[(&name as &(dyn ToSql + Sync), Type::TEXT)]).await;
    let found = found.map_err(|e| connector.failed(&e))?;
    let Some(row) = found.first() else { return Err(missing(client, connector, alias, server, table).await) };
    let read = || {
        let kind: String = row.try_get(3)?;
        Ok(Relation {
            oid: row.try_get(0)?,
            schema: row.try_get(1)?,
            name: row.try_get(2)?,
            kind: kind.chars().next().unwrap_or('?'),
        })
    };
    let relation = read().map_err(|e| connector.failed(&e))?;
    if !matches!(relation.kind, 'r' | 'p' | 'm' | 'v' | 'f') {
        let what = format!("`{}` is neither a table nor a view", table.qualified_name());
        return Err(Error::NotFound { alias: alias.to_owned(), what });
    }
    Ok(relation)
}

/// The error for a table that is not there, with the name that comes nearest.
async fn missing(client: &Client, connector: &Connector, alias: &str, server: &Server, table: &PostgresTable) -> Error {
    let sql = "SELECT n.nspname::text, c.relname::text, n.nspname = ANY (current_schemas(false)) \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname !~ '^pg_' \
               AND n.nspname <> 'information_schema' ORDER BY 1, 2";
    let rows = match client.query_typed(sql, &[]).await {
        Ok(rows) => rows,
        Err(e) => return connector.failed(&e),
    };
    let known: Result<Vec<(String, String, bool)>, tokio_postgres::Error> =
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect();
    let known = match known {
        Ok(known) => known,
        Err(e) => return connector.failed(&e),
    };
    let wanted = match &table.schema {
        Some(schema) => known.iter().filter(|(s, ..)| s == schema).collect::<Vec<_>>(),
        None => known.iter().filter(|(.., visible)| *visible).collect(),
    };
    let hint = if let Some(name) = nearest(&table.table, wanted.iter().map(|(_, name, _)| name.as_str())) {
        format!("; did you mean `{name}`?")
    } else if let Some((schema, name, _)) = known.iter().find(|(_, name, _)| *name == table.table) {
        format!("; there is `{schema}.{name}`: write table={schema}.{name}")
    } else if let Some(schema) = table
        .schema
        .as_ref()
        .filter(|_| wanted.is_empty())
        .and_then(|schema| nearest(schema, known.iter().map(|(s, ..)| s.as_str())))
    {
        format!("; did you mean schema `{schema}`?")
    } else {
        String::new()
    };
    let what = format!("no table `{}` in database `{}`{hint}", table.qualified_name(), server.database);
    Error::NotFound { alias: alias.to_owned(), what }
}

/// The columns in table order, without dropped ones. Domains are read as the type beneath them.
pub async fn columns(
    client: &Client,
    connector: &Connector,
    alias: &str,
    relation: &Relation,
) -> Result<Vec<TableColumn>> {
    let sql = "WITH RECURSIVE base(attnum, attname, typid, typmod) AS ( \
                 SELECT attnum, attname, atttypid, atttypmod FROM pg_attribute \
                 WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
               UNION ALL \
                 SELECT b.attnum, b.attname, t.typbasetype, CASE WHEN b.typmod = -1 THEN t.typtypmod ELSE b.typmod END \
                 FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd') \
               SELECT b.attname::text, t.typname::text, n.nspname = 'pg_catalog', t.typtype = 'e', b.typmod, \
                      format_type(t.oid, NULL) \
               FROM base b JOIN pg_type t ON t.oid = b.typid JOIN pg_namespace n ON n.oid = t.typnamespace \
               WHERE t.typtype <> 'd' ORDER BY b.attnum";
    let rows = client.query_typed(sql, &[(&relation.oid as &(dyn ToSql + Sync), Type::OID)]).await;
    let rows = rows.map_err(|e| connector.failed(&e))?;
    let read = |row: &tokio_postgres::Row| {
        let name: String = row.try_get(0)?;
        let type_name: String = row.try_get(1)?;
        let (kind, cast) = Kind::of(&type_name, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        let expression = match cast {
            Cast::None => quoted(&name),
            Cast::Text => format!("{}::text", quoted(&name)),
            Cast::Numeric => format!("{}::numeric", quoted(&name)),
        };
        Ok(TableColumn { name, base_type: row.try_get(5)?, expression, kind, note: None })
    };
    let columns: Vec<TableColumn> =
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|e| connector.failed(&e))?;
    if columns.is_empty() {
        let reason = format!("`{}.{}` has no columns", relation.schema, relation.name);
        return Err(Error::Data { alias: alias.to_owned(), place: Place::default(), reason });
    }
    Ok(columns)
}
