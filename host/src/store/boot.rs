//! Which run of the machine this is: what the page cache holds does not outlive it.

/// Names one run of the machine, from its start to its stop or its loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Boot(pub(super) [u8; 16]);

impl Boot {
    /// This run, from the kernel; all zeros where it can't be read, which is never the same as another.
    pub(crate) fn current() -> Self {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self::parse(&text).unwrap_or(Self([0; 16]))
    }

    /// One run of a simulated machine.
    pub(crate) fn simulated(number: u8) -> Self {
        Self([number; 16])
    }

    /// Reads 32 hexadecimal digits with hyphens between them.
    fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .trim()
            .chars()
            .filter(|&digit| digit != '-')
            .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
            .collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        (digits.len() == 32).then(|| bytes.try_into().ok().map(Self)).flatten()
    }

    /// Whether what was written in `other` without a sync is still there for sure.
    pub(super) fn is_same(self, other: Self) -> bool {
        self == other && self.0 != [0; 16]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_read_as_the_kernel_writes_it() {
        let boot = Boot::parse("0123abcd-0000-4000-8000-00000000ffff\n").unwrap();
        assert_eq!(boot.0, [0x01, 0x23, 0xab, 0xcd, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0xff, 0xff]);
        for text in ["", "0123", "no boot id, but something with words in it"] {
            assert_eq!(Boot::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_boot_is_never_the_same() {
        assert!(!Boot([0; 16]).is_same(Boot([0; 16])));
        assert!(Boot([1; 16]).is_same(Boot([1; 16])));
        assert!(!Boot([1; 16]).is_same(Boot([2; 16])));
    }
}
