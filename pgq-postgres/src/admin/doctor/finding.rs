/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing; jobs run.
    Warning,
    /// Jobs do not run, or will soon not.
    Problem,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is the case.
    pub text: String,
    /// What to do; none where all is fine.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn fine(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, severity: Severity::Fine, text: text.into(), remedy: None }
    }

    pub(super) fn warning(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, severity: Severity::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn problem(check: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Problem, ..Self::warning(check, text, remedy) }
    }
}
