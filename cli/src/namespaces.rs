//! Why a machine allows no namespaces: the settings of the kernel that are known to forbid them.

use std::fs;

/// A setting, what it is where namespaces are forbidden, and what allows them.
const SETTINGS: [(&str, &str, &str); 3] = [
    ("user/max_user_namespaces", "0", "`sysctl user.max_user_namespaces=15000` allows them"),
    ("kernel/unprivileged_userns_clone", "0", "`sysctl kernel.unprivileged_userns_clone=1` allows them"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "`sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows them",
    ),
];

/// What could be done for namespaces to be allowed here.
pub(crate) fn hint() -> &'static str {
    hint_by(|setting| fs::read_to_string(format!("/proc/sys/{setting}")).ok())
}

fn hint_by(read: impl Fn(&str) -> Option<String>) -> &'static str {
    let forbids = |(setting, value, _): &&(&str, &str, &str)| read(setting).is_some_and(|text| text.trim() == *value);
    SETTINGS.iter().find(forbids).map_or(
        "a sandbox needs Linux 5.15 or later and user namespaces; containers often forbid them",
        |(_, _, remedy)| remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The setting that forbids them is named, and where none does, what else it may be.
    #[test]
    fn hints() {
        let hint = |set: &str| hint_by(|setting| Some(if setting == set { "0\n" } else { "5\n" }.to_owned()));
        assert_eq!(hint("user/max_user_namespaces"), "`sysctl user.max_user_namespaces=15000` allows them");
        assert_eq!(hint("kernel/unprivileged_userns_clone"), "`sysctl kernel.unprivileged_userns_clone=1` allows them");
        let ubuntu = hint_by(|setting| setting.contains("apparmor").then(|| "1\n".to_owned()));
        assert_eq!(ubuntu, "`sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows them");
        assert!(hint_by(|_| None).contains("containers"));
    }
}
