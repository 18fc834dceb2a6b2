//! Faults in single values, for the test of `check` against itself. A second engine would offer the
//! same names.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::database::Database;

/// Column of a table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Column {
    /// The table.
    pub(crate) table: String,
    /// The column.
    pub(crate) column: String,
}

/// A row with one wrong value.
pub(crate) struct Planted {
    table: String,
    /// Names of the columns, and which of them are the primary key.
    columns: Vec<String>,
    keys: Vec<usize>,
    before: Vec<Value>,
    after: Vec<Value>,
}

impl Database {
    /// Every column of every table, in order.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let sql =
            "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
             WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
             ORDER BY t.name, c.cid";
        let reader = self.readers.take().expect("a reader");
        let mut statement = reader.prepare(sql).expect("a statement");
        let read = |row: &rusqlite::Row<'_>| Ok(Column { table: row.get(0)?, column: row.get(1)? });
        let columns = statement.query_map([], read).expect("rows");
        columns.collect::<rusqlite::Result<_>>().expect("columns")
    }

    /// Flips one bit of the value of a column in the row at `index`. `None` when there is no such
    /// row, or when a constraint does not let the value in.
    pub(crate) fn plant_in(&self, column: &Column, index: usize) -> Option<Planted> {
        let planted = {
            let reader = self.readers.take().expect("a reader");
            Planted::of_row(&reader, column, index)?
        };
        self.replace(&planted, &planted.before, &planted.after).then_some(planted)
    }

    /// Gives the row its value back.
    pub(crate) fn remove(&self, planted: Planted) {
        assert!(self.replace(&planted, &planted.after, &planted.before), "the row is mended");
    }

    /// Replaces a row. False when a constraint refuses the new one; then nothing has changed.
    fn replace(&self, planted: &Planted, old: &[Value], new: &[Value]) -> bool {
        let Planted { table, columns, keys, .. } = planted;
        let wheres: Vec<String> = keys.iter().map(|key| format!("{} = ?", columns[*key])).collect();
        let delete = format!("DELETE FROM {table} WHERE {}", wheres.join(" AND "));
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {table} ({}) VALUES ({places})", columns.join(", "));
        let key: Vec<Value> = keys.iter().map(|key| old[*key].clone()).collect();
        let row = new.to_vec();
        let (done, wait) = std::sync::mpsc::channel();
        self.inspect(move |connection| {
            let pragmas = |on: bool| {
                format!("PRAGMA foreign_keys = {}; PRAGMA ignore_check_constraints = {on}", !on)
            };
            connection.execute_batch(&pragmas(true)).expect("constraints are off");
            connection.execute_batch("BEGIN").expect("a transaction");
            connection.execute(&delete, params_from_iter(key)).expect("the row is there");
            let inserted = connection.execute(&insert, params_from_iter(row)).is_ok();
            let end = if inserted { "COMMIT" } else { "ROLLBACK" };
            connection.execute_batch(end).expect("it ends");
            connection.execute_batch(&pragmas(false)).expect("constraints are on");
            let _ = done.send(inserted);
        });
        wait.recv().expect("the writer lives")
    }
}

impl Planted {
    fn of_row(connection: &Connection, column: &Column, index: usize) -> Option<Self> {
        let table = column.table.clone();
        let sql = format!("SELECT name, type, pk FROM pragma_table_info('{table}') ORDER BY cid");
        let mut statement = connection.prepare(&sql).expect("a statement");
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let infos: Vec<(String, String, bool)> =
            statement.query_map([], read).expect("rows").map(|row| row.expect("a row")).collect();
        let columns: Vec<String> = infos.iter().map(|(name, ..)| name.clone()).collect();
        let keys: Vec<usize> = (0..infos.len()).filter(|n| infos[*n].2).collect();
        let order: Vec<&str> = keys.iter().map(|key| columns[*key].as_str()).collect();
        let sql = format!("SELECT * FROM {table} ORDER BY {} LIMIT 1 OFFSET ?1", order.join(", "));
        let mut statement = connection.prepare(&sql).expect("a statement");
        let mut rows = statement.query([index]).expect("rows");
        let row = rows.next().expect("rows")?;
        let before: Vec<Value> = (0..columns.len()).map(|n| row.get(n).expect("a value")).collect();
        let mut after = before.clone();
        let place = columns.iter().position(|name| *name == column.column)?;
        after[place] = flip(&before[place], &infos[place].1);
        Some(Self { table, columns, keys, before, after })
    }
}

/// The value with one bit flipped; a value that is not there becomes one.
fn flip(value: &Value, declared_type: &str) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(number ^ 1),
        Value::Real(number) => Value::Real(-number),
        Value::Text(text) if !text.is_empty() => {
            let mut bytes = text.clone().into_bytes();
            bytes[0] ^= 1;
            Value::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Blob(bytes) if !bytes.is_empty() => {
            let mut bytes = bytes.clone();
            *bytes.last_mut().expect("it is not empty") ^= 1;
            Value::Blob(bytes)
        }
        Value::Null | Value::Text(_) | Value::Blob(_) => match declared_type {
            "INTEGER" => Value::Integer(1),
            "TEXT" => Value::Text("x".to_owned()),
            _ => Value::Blob(vec![1]),
        },
    }
}
