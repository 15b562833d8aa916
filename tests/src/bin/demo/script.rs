//! What the demo's task runs, and whether it has come to what it should.

use anyhow::{Result, bail};

/// It prints what it was given, asks every server for its name, in order, and works on for a while, so that there is
/// a running task to look at.
///
/// `fetch` is our own image's; in any other there is a `wget` (our busybox's needs a C library that is not static).
pub(crate) const TASK: &str = "\
echo \"MY_DATASERVICES=$MY_DATASERVICES\"
ask() { timeout 2 fetch \"$1\" || timeout 2 wget -q -O - \"http://$1/\"; }
for endpoint in $MY_DATASERVICES; do
  until answer=$(ask \"$endpoint\" 2>/dev/null); do sleep 0.2; done
  echo \"$endpoint answers: I am $answer\"
done
echo 'working for 5 seconds'
sleep 5
echo 'finished'";

/// Whether each server was asked by its name, answered with it, and in the order in which they are counted.
pub(crate) fn check(output: &str, object: &str, replicas: usize) -> Result<()> {
    let expected = (0..replicas).map(|n| format!("{object}-{n}.{object}:40000 answers: I am {object}-{n}"));
    let answers = output.lines().filter(|line| line.contains(" answers: "));
    if !expected.eq(answers.map(str::to_owned)) || !output.ends_with("finished\n") {
        bail!("the task did not reach every server of {object} by its name, in order; it printed:\n{output}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_to_answer_in_order() {
        let line = |name: &str, answer: &str| format!("{name}.x:40000 answers: I am {answer}\n");
        let (zero, one) = (line("x-0", "x-0"), line("x-1", "x-1"));
        check(&format!("{zero}{one}finished\n"), "x", 2).unwrap();
        for wrong in [
            format!("{one}{zero}finished\n"),
            format!("{zero}finished\n"),
            format!("{zero}{one}"),
            format!("{zero}{}finished\n", line("x-1", "x-0")),
        ] {
            assert!(check(&wrong, "x", 2).is_err(), "{wrong}");
        }
    }
}
