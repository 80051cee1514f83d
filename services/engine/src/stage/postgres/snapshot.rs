//! A table that has been found, guarded against changes of its shape, and seen at one moment.

use std::sync::Arc;

use super::catalog::{self, Relation, Server};
use super::columns::TableColumn;
use super::connect::{Connection, Connector};
use super::{filter, widen};
use crate::error::Result;
use crate::job::{PostgresTable, Source};
use crate::stage::{ColumnNote, InputFacts};

/// Read only, and all statements see what the first one saw.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub struct Snapshot {
    pub alias: String,
    pub connector: Arc<Connector>,
    /// The session that holds the transaction; the snapshot lives as long as it does.
    pub lead: Arc<Connection>,
    pub server: Server,
    pub relation: Relation,
    pub columns: Vec<TableColumn>,
    /// The source's filters.
    pub condition: Option<String>,
}

impl Snapshot {
    pub async fn open(connector: &Arc<Connector>, source: &Source, table: &PostgresTable) -> Result<Self> {
        let lead = connector.connect().await?;
        let client = &lead.client;
        let server = catalog::server(client, connector).await?;
        let relation = catalog::resolve(client, connector, &source.alias, &server, table).await?;
        // The lock comes before the first look: TRUNCATE and rewriting ALTERs do not respect snapshots.
        let guard = match relation.kind {
            'r' | 'p' => format!("LOCK TABLE {} IN ACCESS SHARE MODE", relation.quoted()),
            _ => format!("SELECT 1 FROM {} LIMIT 0", relation.quoted()),
        };
        client.batch_execute(&format!("{BEGIN}; {guard}")).await.map_err(|e| connector.failed(&e))?;
        let mut columns = catalog::columns(client, connector, &source.alias, &relation).await?;
        let filters = &source.filters;
        let condition = filter::conditions(client, connector, &source.alias, &relation, &columns, filters).await?;
        widen::guess(client, connector, &server, &relation.quoted(), &mut columns).await?;
        Ok(Self {
            alias: source.alias.clone(),
            connector: Arc::clone(connector),
            lead: Arc::new(lead),
            server,
            relation,
            columns,
            condition,
        })
    }

    /// The SELECT over `from` that gives the columns in the form that the decoder expects, under the filters and
    /// `condition`.
    pub fn select(&self, from: &str, condition: Option<&str>) -> String {
        let expressions: Vec<&str> = self.columns.iter().map(|column| column.expression.as_str()).collect();
        format!("SELECT {} FROM {from}{}", expressions.join(", "), self.condition_with(condition))
    }

    fn condition_with(&self, more: Option<&str>) -> String {
        let conditions: Vec<&str> = more.into_iter().chain(self.condition.as_deref()).collect();
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
    }

    /// Gives each column a type that holds all of its values, or those of the first `rows` rows.
    pub async fn widen(&mut self, rows: Option<usize>) -> Result<()> {
        let limit = rows.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
        let from = format!("{}{}{limit}", self.relation.quoted(), self.condition_with(None));
        widen::widen(&self.lead.client, &self.connector, &self.server, &from, &mut self.columns).await
    }

    /// A name by which another session can take this snapshot over.
    pub async fn export(&self) -> Result<String> {
        let row = self.lead.client.query_typed_one("SELECT pg_export_snapshot()", &[]).await;
        row.and_then(|row| row.try_get(0)).map_err(|e| self.connector.failed(&e))
    }

    pub async fn facts(&self, bytes: Option<u64>) -> Result<InputFacts> {
        let row = self.lead.client.query_typed_one("SELECT txid_current_snapshot()::text", &[]).await;
        let moment: String = row.and_then(|row| row.try_get(0)).map_err(|e| self.connector.failed(&e))?;
        let Self { server, relation, .. } = self;
        let fingerprint = format!(
            "PostgreSQL {}, database {} (oid {}), {}.{} (oid {}), snapshot {moment}",
            server.version, server.database, server.database_oid, relation.schema, relation.name, relation.oid
        );
        let note = |column: &TableColumn| {
            let note = column.note.clone()?;
            Some(ColumnNote { column: column.name.clone(), note })
        };
        let notes = self.columns.iter().filter_map(note).collect();
        Ok(InputFacts {
            format: "postgres".to_owned(),
            bytes,
            fingerprint: Some(fingerprint),
            notes,
            ..InputFacts::default()
        })
    }

    pub async fn close(self) {
        if let Some(lead) = Arc::into_inner(self.lead) {
            lead.close().await;
        }
    }
}
