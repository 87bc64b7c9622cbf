//! Where in a file the network is: what stands before the names of its variables.
//!
//! A network is saved inside of others and of dictionaries: `module.`, `_orig_mod.`, `backbone.`, `RGB/inception_i3d/`,
//! `state_dict/model.`, in any order. None of these is known here. A scope is whatever stands before known names, and the
//! network's is the one with most of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::{ROLES, is_bookkeeping};
use crate::weights::cursor::{Problem, short};

/// As few known names as this may stand under a scope by accident: other networks have an `fc.weight` too.
const FEW: usize = 8;

/// What TensorFlow's object checkpoints put behind a name.
const DECORATION: &str = "/.ATTRIBUTES/VARIABLE_VALUE";

static LONGEST: LazyLock<usize> = LazyLock::new(|| ROLES.keys().map(String::len).max().unwrap_or(0));

/// The network of a file.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::weights) struct Scope {
    /// What stands before its variables.
    prefix: String,
    /// Whether no variable is known.
    unknown: bool,
    /// Whether its variables are in Flax's collections, and so nothing else is.
    collected: bool,
}

impl Scope {
    /// The name of a tensor of this network without its scope; `None` for what is beside the network.
    pub fn own<'n>(&self, name: &'n str) -> Option<Cow<'n, str>> {
        let plain = plain(name);
        if self.collected && !is_collected(name, &plain) {
            return None;
        }
        match plain {
            Cow::Borrowed(name) => name.strip_prefix(&*self.prefix).map(Cow::Borrowed),
            Cow::Owned(name) => name.strip_prefix(&*self.prefix).map(|name| Cow::Owned(name.into())),
        }
    }

    /// Whether a tensor is one of the network's variables.
    pub fn knows(&self, name: &str) -> bool {
        self.own(name).is_some_and(|own| ROLES.contains_key(&*own))
    }

    /// Whether a tensor belongs to this network.
    pub fn contains(&self, name: &str) -> bool {
        self.own(name).is_some()
    }

    /// Whether no name is one of a network's.
    pub fn is_unknown(&self) -> bool {
        self.unknown
    }
}

/// The network that most of the names belong to. Copies of it, such as moving averages, yield to what they are copies of.
///
/// # Errors
/// Two networks, neither of which is a copy.
pub(in crate::weights) fn choose<'n>(names: impl Iterator<Item = &'n str>) -> Result<Scope, Problem> {
    // Variables, and those of them in collections.
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    for source in names.filter(|name| !is_bookkeeping(name)) {
        let name = plain(source);
        if let Some(start) = starts(&name).find(|&start| ROLES.contains_key(&name[start..])) {
            let (all, collected) = counts.entry(name[..start].to_string()).or_default();
            *all += 1;
            *collected += usize::from(is_collected(source, &name));
        }
    }
    let most = counts.values().map(|count| count.0).max().unwrap_or(0);
    // What has half as many may be a whole network as well: scales and a classifier may be missing.
    let mut networks: Vec<(usize, String, bool)> = counts
        .into_iter()
        .filter(|&(_, (count, _))| 2 * count >= most && count >= FEW)
        .map(|(prefix, (count, collected))| (copy(&prefix), prefix, 2 * collected > count))
        .collect();
    networks.sort();
    match &networks[..] {
        [(rank, a, _), (next, b, _), ..] if rank == next => Err(format!(
            "holds the network twice, under `{}` and under `{}`: save each network in a file of its own",
            short(a),
            short(b)
        )),
        [(_, prefix, collected), ..] => {
            Ok(Scope { prefix: prefix.clone(), unknown: false, collected: *collected })
        }
        [] => Ok(Scope { prefix: String::new(), unknown: most == 0, collected: false }),
    }
}

/// Where a known name may begin: at the start and behind separators, as far back as known names reach.
fn starts(name: &str) -> impl Iterator<Item = usize> {
    let first = name.len().saturating_sub(*LONGEST);
    let separators = name.bytes().enumerate().skip(first.saturating_sub(1));
    let behind = separators.filter(|&(_, byte)| byte == b'/' || byte == b'.').map(|(at, _)| at + 1);
    (first == 0).then_some(0).into_iter().chain(behind)
}

/// Whether a collection was taken out of a name.
fn is_collected(name: &str, plain: &str) -> bool {
    name.strip_suffix(DECORATION).unwrap_or(name).len() != plain.len()
}

/// A name without what formats add to it: the decoration of TensorFlow's object checkpoints, and Flax's collections, which
/// split the variables of one unit.
fn plain(name: &str) -> Cow<'_, str> {
    const COLLECTIONS: [&str; 2] = ["params", "batch_stats"];
    let name = name.strip_suffix(DECORATION).unwrap_or(name);
    let Some(separator) = ['/', '.'].into_iter().find(|&separator| {
        let mut parts = name.split(separator);
        parts.next_back();
        parts.any(|part| COLLECTIONS.contains(&part))
    }) else {
        return name.into();
    };
    let parts: Vec<&str> = name.split(separator).filter(|part| !COLLECTIONS.contains(part)).collect();
    parts.join(&separator.to_string()).into()
}

/// How much a scope says that what it holds is a copy of the weights: least in their usual places, most for a copy.
fn copy(prefix: &str) -> usize {
    const USUAL: [&str; 7] =
        ["state_dict", "model_state_dict", "model_state", "model", "net", "weights", "network"];
    const COPIES: [&str; 12] = [
        "ema", "swa", "avg", "average", "averaged", "shadow", "teacher", "momentum", "target", "best",
        "backup", "old",
    ];
    let lower = prefix.to_ascii_lowercase();
    let is_copy = |part: &str| part.split('_').any(|word| COPIES.contains(&word));
    if lower.split(['/', '.']).any(is_copy) {
        return USUAL.len() + 1;
    }
    let first = lower.split(['/', '.']).next().unwrap_or_default();
    USUAL.iter().position(|&usual| usual == first).unwrap_or(USUAL.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of a whole network under each prefix.
    fn names(prefixes: &[&str]) -> Vec<String> {
        let own = |prefix: &&str| -> Vec<String> {
            let units = ["Mixed_3b.b0", "Mixed_3b.b1a", "Mixed_3b.b1b", "logits"];
            let of = |unit: &str| {
                ["conv3d.weight", "bn.bias", "bn.running_mean"].map(|v| format!("{prefix}{unit}.{v}"))
            };
            units.iter().flat_map(|unit| of(unit)).collect()
        };
        prefixes.iter().flat_map(own).collect()
    }

    fn chosen(prefixes: &[&str], more: &[&str]) -> Result<String, Problem> {
        let names = names(prefixes);
        choose(names.iter().map(String::as_str).chain(more.iter().copied())).map(|scope| scope.prefix)
    }

    #[test]
    fn whatever_stands_before_known_names_is_a_scope() {
        for prefix in
            ["", "module.", "_orig_mod.", "module.basenet.", "state_dict/backbone.", "a/b/c.d.e.", "net.net."]
        {
            assert_eq!(chosen(&[prefix], &["best_acc1", "loss", "head.fc.weight"]).as_deref(), Ok(prefix));
        }
        assert!(choose(["a", "b.c"].into_iter()).is_ok_and(|scope| scope.is_unknown()));
    }

    #[test]
    fn copies_yield_and_two_networks_are_told() {
        for (prefixes, want) in [
            (["model_ema/", "state_dict/"], "state_dict/"),
            (["ema_model.", "model."], "model."),
            (["teacher.net.", "student.net."], "student.net."),
            (["net/", "best_net/"], "net/"),
            (["model/", "other/"], "model/"),
            (["model/", "state_dict/"], "state_dict/"),
            (["", "ema."], ""),
        ] {
            assert_eq!(chosen(&prefixes, &[]).as_deref(), Ok(want), "{prefixes:?}");
        }
        let said = chosen(&["rgb.", "flow."], &[]).unwrap_err();
        assert!(said.contains("twice, under `flow.` and under `rgb.`"), "{said}");
    }

    #[test]
    fn flax_keeps_a_unit_in_two_collections() {
        assert_eq!(plain("params/Conv3d_1a_7x7/Conv_0/kernel"), "Conv3d_1a_7x7/Conv_0/kernel");
        assert_eq!(
            plain("state/batch_stats/net/Mixed_3b/BatchNorm_0/mean"),
            "state/net/Mixed_3b/BatchNorm_0/mean"
        );
        assert_eq!(plain("a.params.b"), "a.b");
        assert_eq!(plain("model/x/.ATTRIBUTES/VARIABLE_VALUE"), "model/x");
        assert_eq!(plain("params"), "params");
    }
}
