//! What servers say of themselves on their admin ports.

use crate::ports::at;

/// SQL statements sent so far.
pub const STATEMENTS: &str = "plaza_sql_statements_total";

/// The addresses that were given, else those of this clone's two servers.
pub fn servers(given: &[String]) -> Vec<String> {
    if given.is_empty() {
        return [4_201, 4_202].map(|port| format!("127.0.0.1:{}", at(port))).to_vec();
    }
    given.to_vec()
}

/// Metrics without labels, all servers together; nothing where one does not answer, or does not
/// have them.
pub async fn sums<const N: usize>(admin: &[String], names: [&str; N]) -> Option<[f64; N]> {
    let mut sums = [0.0; N];
    for address in admin {
        let text =
            reqwest::get(format!("http://{address}/metrics")).await.ok()?.text().await.ok()?;
        for (sum, name) in sums.iter_mut().zip(names) {
            *sum += value(&text, name)?;
        }
    }
    Some(sums)
}

/// One metric of a text in Prometheus' format.
fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# TYPE plaza_sql_statements_total counter\nplaza_sql_statements_total_old 1\n\
                    plaza_sql_statements_total 42\nplaza_up{role=\"server\"} 1\n";
        assert_eq!(value(text, STATEMENTS), Some(42.0));
        assert_eq!(value(text, "plaza_up"), None);
    }
}
