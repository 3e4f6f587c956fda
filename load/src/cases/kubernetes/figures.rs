//! The figures of the case.

use super::SLICE;
use super::script::{Ridden, Shape, Took};
use super::wave::between;
use crate::cases::outcome::{Figure, Pair};
use crate::report::float;

/// Why targets were missed.
pub fn missed(after: &Ridden, took: &Took) -> Option<String> {
    let failed = after.sent.iter().filter(|sent| sent.failed).count();
    let mut why = Vec::new();
    if after.ten_at.is_none() {
        why.push(format!("the autoscaler made {} pods of 10 while the wave was high", after.most));
    }
    if took.back_to_three.is_none() {
        why.push("ten minutes after the wave there were more than three pods".to_owned());
    }
    if failed > 0 {
        why.push(format!("{failed} requests failed on the way"));
    }
    (!why.is_empty()).then(|| why.join("; ") + ".")
}

/// The p95 of each step of the wave, side by side.
pub fn slices(before: &Ridden, after: &Ridden, shape: Shape) -> Vec<Pair> {
    let steps = (shape.rise + shape.top).as_secs() / SLICE.as_secs();
    let p95 = |side: &Ridden, step: u32| {
        between(&side.sent, shape.calm + SLICE * step, shape.calm + SLICE * (step + 1))
            .report(SLICE.as_secs_f64())
            .p95_ms
    };
    (0..u32::try_from(steps).unwrap_or_default())
        .map(|step| Pair { before: p95(before, step), after: p95(after, step) })
        .collect()
}

/// The table.
pub fn figures(before: &Ridden, after: &Ridden, took: &Took) -> Vec<Figure> {
    let failed = |side: &Ridden| float(side.sent.iter().filter(|sent| sent.failed).count());
    let failed = Pair { before: failed(before), after: failed(after) };
    let top = |side: &Ridden| between(&side.sent, side.top_from, side.top_to).report(1.0);
    let (top_before, top_after) = (top(before), top(after));
    let most = Pair { before: float(before.most), after: float(after.most) };
    let back = took.back_to_three.is_some();
    let (before, after) = (before.sent.len(), after);
    let mut figures = vec![
        Figure::pair("pods at the height of the wave", most).aimed("10", after.ten_at.is_some()),
        Figure::plain("pods after it", 3.0, if back { 3.0 } else { most.after }).aimed("3", back),
        Figure::pair(
            format!("requests that failed, of {before} before and {} after", after.sent.len()),
            failed,
        )
        .none()
        .of(float(after.sent.len())),
        Figure::plain("p50 at the height, ms", top_before.p50_ms, top_after.p50_ms),
        Figure::plain("p95 at the height, ms", top_before.p95_ms, top_after.p95_ms),
        Figure::plain("from kubectl apply -f k8s/ to 3 ready pods, s", None, took.to_three),
    ];
    let known = optional(after, took).into_iter();
    figures.extend(known.filter_map(|(what, value)| Some(Figure::plain(what, None, value?))));
    figures.push(Figure::plain("rolling update of 3 pods, s", None, took.rollout));
    figures.push(Figure::plain(
        "rolling update: requests that failed",
        None,
        float(took.failed_in_rollout),
    ));
    figures
}

/// What is only there when the autoscaler did what it was to.
fn optional(after: &Ridden, took: &Took) -> [(&'static str, Option<f64>); 6] {
    [
        ("from the beginning of the wave to 10 pods, s", after.ten_at.map(|at| at.as_secs_f64())),
        ("from the end of the wave to 3 pods, s", took.back_to_three),
        (
            "autoscaler at the end of the height: CPU, % of what is asked for",
            after.autoscaler.cpu_percent,
        ),
        (
            "autoscaler at the end of the height: requests in flight a pod",
            after.autoscaler.in_flight,
        ),
        (
            "kubectl scale --replicas=5: to 5 pods, s",
            took.five_to_three.map(|_| took.scaled_to_five),
        ),
        (
            "kubectl scale --replicas=5: until the autoscaler has made it 3 again, s",
            took.five_to_three,
        ),
    ]
}
