//! Medians and percentiles.

/// The value below which `percent` of the values lie; of the median of an even number, the upper. 0 of nothing.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or_default()
}

/// The middle of the values.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values_whatever_their_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 99), 100.0);
        assert_eq!(median(&hundred), 51.0);
        assert_eq!(percentile(&[7.0], 99), 7.0);
        assert_eq!(median(&[]), 0.0);
    }
}
