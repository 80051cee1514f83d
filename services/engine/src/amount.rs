//! Exact decimal numbers with room for any sum.

use std::cmp::Ordering;
use std::fmt;

use arrow::datatypes::i256;

/// `units` divided by ten to the power of `scale`; some 76 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    pub units: i256,
    pub scale: i8,
}

impl Amount {
    /// Reads digits with a point and a sign, or without.
    pub fn parse(text: &str) -> Option<Self> {
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
        let units = i256::from_string(&text.replacen('.', "", 1))?;
        Some(Self { units, scale: i8::try_from(fraction.len()).ok()? })
    }

    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { units: a.checked_add(b)?, scale })
    }

    pub fn minus(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { units: a.checked_sub(b)?, scale })
    }

    pub fn times(self, other: Self) -> Option<Self> {
        let scale = self.scale.checked_add(other.scale)?;
        Some(Self { units: self.units.checked_mul(other.units)?, scale })
    }

    pub fn whole(number: u64) -> Self {
        Self { units: i256::from_i128(number.into()), scale: 0 }
    }

    /// A hundredth.
    pub fn percent(self) -> Option<Self> {
        Some(Self { scale: self.scale.checked_add(2)?, ..self })
    }

    pub fn abs(self) -> Self {
        Self { units: self.units.wrapping_abs(), ..self }
    }

    /// With no more digits after the point than it needs.
    pub fn without_zeros(self) -> Self {
        self.trimmed(0)
    }

    /// The same, but for so many digits.
    pub fn trimmed(self, digits: i8) -> Self {
        let ten = i256::from_i128(10);
        let mut amount = self;
        while amount.scale > digits && amount.units.wrapping_rem(ten) == i256::ZERO {
            amount = Self { units: amount.units.wrapping_div(ten), scale: amount.scale - 1 };
        }
        amount
    }

    pub fn is_zero(self) -> bool {
        self.units == i256::ZERO
    }

    /// `None` where they have no room side by side.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let (a, b, _) = self.aligned(other)?;
        Some(a.cmp(&b))
    }

    fn aligned(self, other: Self) -> Option<(i256, i256, i8)> {
        let scale = self.scale.max(other.scale);
        let at = |amount: Self| {
            let factor = i256::from_i128(10).checked_pow(u32::try_from(scale - amount.scale).ok()?)?;
            amount.units.checked_mul(factor)
        };
        Some((at(self)?, at(other)?, scale))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let text = self.units.to_string();
        let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if scale == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cmp::Ordering;

    use super::Amount;

    #[test]
    fn amounts_are_exact() {
        let amount = |text: &str| Amount::parse(text).unwrap();
        for text in ["0", "-0.05", "12.30", "-1", "0.000", "123456789012345678901234567890123456789012345678.9"] {
            assert_eq!(amount(text).to_string(), text);
        }
        assert_eq!(amount("1.5").plus(amount("-2.25")).unwrap().to_string(), "-0.75");
        assert_eq!(amount("1").minus(amount("0.99")).unwrap().to_string(), "0.01");
        assert_eq!(amount("0.02").times(Amount::whole(4)).unwrap().to_string(), "0.08");
        assert_eq!(amount("-7.5").percent().unwrap().abs().to_string(), "0.075");
        assert_eq!(amount("0.10").compare(amount("0.1")), Some(Ordering::Equal));
        assert_eq!(amount("-0.11").compare(amount("-0.1")), Some(Ordering::Less));
        assert_eq!(amount("-1.2300").without_zeros().to_string(), "-1.23");
        assert_eq!(amount("100.00").without_zeros().to_string(), "100");
        assert!(Amount::parse("1e5").is_none() && Amount::parse("").is_none());
    }
}
