//! A rewritten plan node and the columns of ours that go up with it.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema as _, Result, TableReference, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr};

use super::Side;
use super::reach::Reach;

/// A rewritten node and how each side reaches it.
pub(super) struct Node {
    pub plan: Arc<LogicalPlan>,
    pub left: Reach,
    pub right: Reach,
    /// Names of its order columns.
    pub order: Vec<String>,
}

impl Node {
    /// A node without rows of the sides.
    pub fn bare(plan: &LogicalPlan) -> Self {
        Self { plan: Arc::new(plan.clone()), left: Reach::default(), right: Reach::default(), order: Vec::new() }
    }

    pub fn reach(&self, side: Side) -> &Reach {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// All lineage columns, those of the left side first.
    pub fn columns(&self) -> Result<Vec<Column>> {
        self.left.columns.iter().chain(&self.right.columns).map(|name| column(self.plan.schema(), name)).collect()
    }

    fn order_columns(&self) -> Result<Vec<Column>> {
        self.order.iter().map(|name| column(self.plan.schema(), name)).collect()
    }

    /// All columns that go up: those of the lineage, then those of the order.
    pub fn carried(&self) -> Result<Vec<Column>> {
        Ok([self.columns()?, self.order_columns()?].concat())
    }

    /// Sort keys that leave no two rows in an open order.
    pub fn ties(&self) -> Result<Vec<SortExpr>> {
        let schema = self.plan.schema();
        let numbers = self.columns()?.into_iter().filter(|column| is_row(schema, column));
        Ok(numbers.chain(self.order_columns()?).map(|c| Expr::Column(c).sort(true, false)).collect())
    }

    pub fn beside_every_row(self) -> Self {
        Self { left: self.left.beside_every_row(), right: self.right.beside_every_row(), ..self }
    }

    /// The same rows under another plan that kept all lineage columns.
    pub fn with(self, plan: LogicalPlan) -> Self {
        Self { plan: Arc::new(plan), ..self }
    }
}

/// The column of `schema` that has a name of ours, whatever its qualifier is by now.
pub(super) fn column(schema: &DFSchema, name: &str) -> Result<Column> {
    match schema.iter().find(|(_, field)| field.name() == name) {
        Some((qualifier, _)) => Ok(Column::new(qualifier.cloned(), name)),
        None => internal_err!("lineage column {name} is missing"),
    }
}

/// Whether a lineage column holds numbers of rows, and not of groups of them.
pub(super) fn is_row(schema: &DFSchema, column: &Column) -> bool {
    schema.field_from_column(column).is_ok_and(|field| *field.data_type() == DataType::Int64)
}

/// `columns` of a plan, as [`extend`] takes them.
pub(super) fn fields(plan: &LogicalPlan, columns: &[Column]) -> Result<Vec<(Option<TableReference>, FieldRef)>> {
    let field = |column: &Column| plan.schema().field_from_column(column).cloned();
    columns.iter().map(|column| Ok((column.relation.clone(), field(column)?))).collect()
}

/// A schema with further columns at its end; what depends on what among the first ones still holds.
pub(super) fn extend(schema: &DFSchema, added: Vec<(Option<TableReference>, FieldRef)>) -> Result<DFSchemaRef> {
    let fields = schema.iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).chain(added).collect();
    let extended = DFSchema::new_with_metadata(fields, schema.metadata().clone())?;
    Ok(Arc::new(extended.with_functional_dependencies(schema.functional_dependencies().clone())?))
}
