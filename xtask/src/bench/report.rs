//! The results as a page of markdown.

use super::machine::Facts;
use super::{Adapter, Comparison, FlowComparison, Options, Results, Row};

const TEMPLATE: &str = include_str!("benchmarks.md");

/// Fills the template.
pub fn markdown(options: &Options, machine: &Facts, adapters: &[Adapter], results: &Results) -> String {
    let Options { runs, threads, .. } = options;
    let facts = machine.iter().map(|(name, value)| vec![name.to_string(), value.clone()]).collect();
    let network_title = match &results.network {
        Ok(Comparison { frames, size, .. }) => {
            format!("One RGB clip of {frames}x{size}x{size}, {threads} threads on the CPU, {runs} turns")
        }
        Err(_) => "One RGB clip".into(),
    };
    let layers_title = match &results.layers {
        Ok((Adapter { name, driver, .. }, Comparison { frames, size, .. })) => {
            let burn = &results.burn_version;
            format!(
                "Three layers of a clip of {frames}x{size}x{size} on {name} ({driver}), {runs} turns, Burn {burn}"
            )
        }
        Err(_) => "Three layers".into(),
    };
    let flow_title = match &results.flow {
        Ok(FlowComparison { width, height, pairs, .. }) => {
            format!(
                "{pairs} moving pairs of {width}x{height} from the sample clip, {threads} threads, {runs} turns"
            )
        }
        Err(_) => "Moving pairs of frames".into(),
    };
    let parts = [
        ("command", options.command()),
        ("machine", table(&["", ""], facts)),
        ("adapters", adapter_list(adapters)),
        ("network_title", network_title),
        ("network", part(&results.network, |network| network_table(&network.rows))),
        ("layers_title", layers_title),
        ("layers", part(&results.layers, |(_, comparison)| layer_table(&comparison.rows))),
        ("flow_title", flow_title),
        ("flow", part(&results.flow, |flow| flow_table(&flow.rows))),
        ("flow_difference", part(&results.flow, flow_difference)),
    ];
    let fill = |page: String, (name, text): &(&str, String)| page.replace(&format!("{{{{{name}}}}}"), text);
    parts.iter().fold(TEMPLATE.to_string(), fill).trim_end().to_string() + "\n"
}

/// The part, or why there is none.
fn part<T>(result: &anyhow::Result<T>, show: impl Fn(&T) -> String) -> String {
    match result {
        Ok(result) => show(result),
        Err(error) => format!("Not run: {}.", format!("{error:#}").lines().next().unwrap_or_default()),
    }
}

fn adapter_list(adapters: &[Adapter]) -> String {
    if adapters.is_empty() {
        return "- none".into();
    }
    let line = |a: &Adapter| format!("- {} ({}, {}): {}", a.name, a.backend, a.driver, a.kind);
    adapters.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn network_table(rows: &[Row]) -> String {
    let reference = rows.first().and_then(median);
    let cells = |row: &Row| {
        let mut cells = vec![row.name.clone(), version(row)];
        cells.extend(times(row, reference));
        cells.push(row.difference.filter(|&d| d > 0.0).map(|d| format!("{d:.1e}")).unwrap_or_default());
        cells
    };
    let heads = ["program", "version", "median ms", "quartiles", "against i3d", "logits differ by"];
    table(&heads, rows.iter().map(cells).collect())
}

fn layer_table(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let reference = rows.iter().find(|other| other.layer == row.layer).and_then(median);
        let mut cells = vec![row.layer.clone().unwrap_or_default(), row.name.clone()];
        cells.extend(times(row, reference));
        cells.push(row.first_ms.map(number).unwrap_or_default());
        cells
    };
    let heads = ["layer", "program", "median ms", "quartiles", "against i3d", "first call ms"];
    table(&heads, rows.iter().map(cells).collect())
}

fn flow_table(rows: &[Row]) -> String {
    let reference = rows.first().and_then(median);
    let cells = |row: &Row| {
        let mut cells = vec![row.name.clone(), version(row)];
        cells.extend(times(row, reference));
        cells
    };
    let heads = ["program", "version", "median ms", "quartiles", "against i3d"];
    table(&heads, rows.iter().map(cells).collect())
}

fn flow_difference(flow: &FlowComparison) -> String {
    match (flow.apart_px, flow.within_tenth, flow.largest_px) {
        (Some(apart), Some(within), Some(largest)) => format!(
            "The two flows, of up to {largest:.1} pixels, are {apart:.3} pixels apart on average; {:.1} % of the \
             pixels are within 0.1.",
            100.0 * within
        ),
        _ => "The flows were not compared.".into(),
    }
}

/// i3d is what is checked out.
fn version(row: &Row) -> String {
    if row.name.starts_with("i3d") { "this commit".into() } else { row.version.clone() }
}

/// Median, quartiles and ratio, or why there are none.
fn times(row: &Row, reference: Option<f64>) -> [String; 3] {
    if let Some(reason) = &row.skipped {
        return [format!("not run: {reason}"), String::new(), String::new()];
    }
    let [q1, middle, q3] = [0.25, 0.5, 0.75].map(|share| quantile(&row.ms, share));
    let ratio = reference.map(|reference| format!("{:.2}", middle / reference)).unwrap_or_default();
    [number(middle), format!("{} to {}", number(q1), number(q3)), ratio]
}

fn median(row: &Row) -> Option<f64> {
    (!row.ms.is_empty()).then(|| quantile(&row.ms, 0.5))
}

/// The number below which a share of the numbers lies, interpolated between two of them.
pub(super) fn quantile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    at(place.floor()) + (at(place.ceil()) - at(place.floor())) * place.fract()
}

/// Three digits that matter.
pub(super) fn number(ms: f64) -> String {
    match ms {
        ms if ms >= 100.0 => format!("{ms:.0}"),
        ms if ms >= 10.0 => format!("{ms:.1}"),
        ms => format!("{ms:.2}"),
    }
}

pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let line = |cells: Vec<String>| {
        // A bar would end the cell.
        format!("| {} |", cells.iter().map(|cell| cell.replace('|', "/")).collect::<Vec<_>>().join(" | "))
    };
    let head = line(heads.iter().map(|head| head.to_string()).collect());
    let rule = format!("|{}", "---|".repeat(heads.len()));
    let rows = rows.into_iter().map(line);
    [head, rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_row_or_the_reason_why_not() {
        let network = r#"{"frames": 16, "size": 224, "rows": [
            {"name": "i3d, CPU", "ms": [2.0, 1.0, 3.0], "difference": 0.0},
            {"name": "Peer", "version": "1.2", "ms": [400, 400, 400], "difference": 2e-6},
            {"name": "Other", "skipped": "it is not here"}]}"#;
        let network: Comparison = serde_json::from_str(network).expect("JSON");
        let results = Results {
            network: Ok(network),
            layers: Err(anyhow::anyhow!("there is no adapter")),
            burn_version: String::new(),
            flow: Err(anyhow::anyhow!("it broke")),
        };
        let options = Options { runs: 3, frames: 16, threads: 2, device: None };
        let page = markdown(&options, &vec![("Processor", "a fast one".into())], &[], &results);
        for line in [
            "| Processor | a fast one |",
            "| i3d, CPU | this commit | 2.00 | 1.50 to 2.50 | 1.00 |  |",
            "| Peer | 1.2 | 400 | 400 to 400 | 200.00 | 2.0e-6 |",
            "| Other |  | not run: it is not here |  |  |  |",
            "Not run: there is no adapter.",
            "Not run: it broke.",
        ] {
            assert!(page.contains(line), "{line} is not in {page}");
        }
        assert!(!page.contains("{{"), "{page}");
    }
}
