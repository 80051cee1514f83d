//! A staged source as a table of the query engine, with or without the numbers of its rows.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::context::SessionContext;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use object_store::ObjectMeta;
use object_store::path::Path as ObjectPath;
use parquet::arrow::RowNumber;

use crate::location::Location;
use crate::names::ROW_NUMBER;
use crate::stage::{ColumnNote, NO_VALUES, RowFile};

/// The rows of one source.
#[derive(Debug)]
pub struct StagedTable {
    file: RowFile,
    url: ObjectStoreUrl,
    path: ObjectPath,
    schema: TableSchema,
    /// Places of columns without any value, which match_sql finds without a type.
    untyped: Vec<usize>,
}

impl StagedTable {
    /// Makes the file's store known to `ctx`; `numbered` adds the row number as the last column.
    pub fn new(ctx: &SessionContext, file: &RowFile, numbered: bool) -> Result<Self> {
        let (store, path) = file.location().open()?;
        let url = match file.location() {
            Location::Local(_) => ObjectStoreUrl::local_filesystem(),
            Location::Object { bucket, .. } => ObjectStoreUrl::parse(bucket.to_string())?,
        };
        ctx.runtime_env().register_object_store(url.as_ref(), store);
        let mut schema = TableSchema::builder(Arc::clone(file.schema()));
        if numbered {
            let field = Field::new(ROW_NUMBER, DataType::Int64, false).with_extension_type(RowNumber);
            schema = schema.with_virtual_columns(vec![FieldRef::from(field)]);
        }
        Ok(Self { file: file.clone(), url, path, schema: schema.build(), untyped: Vec::new() })
    }

    /// With columns that have no type.
    pub fn untyped(self, notes: &[ColumnNote]) -> Self {
        Self { untyped: without_values(self.file.schema(), notes), ..self }
    }

    /// The file under its own name: a path that is given as text would be encoded again.
    fn meta(&self) -> ObjectMeta {
        ObjectMeta {
            location: self.path.clone(),
            last_modified: DateTime::UNIX_EPOCH,
            size: self.file.bytes(),
            e_tag: None,
            version: None,
        }
    }

    fn known_statistics(&self) -> Statistics {
        let rows = usize::try_from(self.file.rows()).map_or(Precision::Absent, Precision::Exact);
        let mut statistics = Statistics::new_unknown(self.schema.table_schema());
        statistics.num_rows = rows;
        statistics.total_byte_size =
            usize::try_from(self.file.bytes()).map_or(Precision::Absent, |bytes| Precision::Inexact(bytes * 2));
        statistics
    }
}

/// The places of columns without any value.
fn without_values(schema: &SchemaRef, notes: &[ColumnNote]) -> Vec<usize> {
    let empty = |name: &str| notes.iter().any(|note| note.column == name && note.note == NO_VALUES);
    (0..schema.fields().len()).filter(|place| empty(schema.field(*place).name())).collect()
}

/// A schema in which columns without any value have no type: they take the one of what they are compared with.
pub fn untyped(schema: &SchemaRef, notes: &[ColumnNote]) -> SchemaRef {
    without_types(schema, &without_values(schema, notes))
}

fn without_types(schema: &SchemaRef, places: &[usize]) -> SchemaRef {
    if places.is_empty() {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().enumerate().map(|(place, field)| match places.contains(&place) {
        true => Arc::new(Field::new(field.name(), DataType::Null, true)),
        false => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[async_trait]
impl TableProvider for StagedTable {
    fn schema(&self) -> SchemaRef {
        without_types(self.schema.table_schema(), &self.untyped)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.known_statistics())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let source = ParquetSource::new(self.schema.clone());
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file(PartitionedFile::new_from_meta(self.meta()))
            .with_statistics(self.known_statistics())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        if self.untyped.is_empty() {
            return Ok(scan);
        }
        let schema = scan.schema();
        let places = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        let columns = places.iter().zip(schema.fields()).enumerate().map(|(at, (place, field))| {
            let column: Arc<dyn PhysicalExpr> = match self.untyped.contains(place) {
                true => Arc::new(Literal::new(ScalarValue::Null)),
                false => Arc::new(Column::new(field.name(), at)),
            };
            (column, field.name().clone())
        });
        Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), scan)?))
    }
}
