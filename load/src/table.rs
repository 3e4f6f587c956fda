//! Tables on standard output. Whoever prints one also writes the same as JSON: with `--json FILE`.

use std::io::Write;

use comfy_table::{CellAlignment, Table, presets};

/// Prints rows below a head: the first column to the left, the others to the right.
///
/// # Errors
/// Standard output is closed.
pub fn print<Row>(head: &[&str], rows: impl IntoIterator<Item = Row>) -> std::io::Result<()>
where
    Row: IntoIterator<Item = String>,
{
    writeln!(std::io::stdout(), "{}", drawn(head, rows))
}

fn drawn<Row>(head: &[&str], rows: impl IntoIterator<Item = Row>) -> String
where
    Row: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().copied());
    table.add_rows(rows.into_iter().map(|row| row.into_iter().collect::<Vec<String>>()));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let rows = [["home", "120"], ["a user's posts", "7"]].map(|row| row.map(str::to_owned));
        let drawn = drawn(&["operation", "requests"], rows);
        let ends: Vec<usize> = drawn.lines().map(|line| line.trim_end().len()).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{drawn}");
    }
}
