//! Manifests of Kubernetes hang together; a role is probed, has time to drain, and is locked in.

use serde_json::Value;

use super::super::finding::Finding;
use super::super::tree::{File, Tree};
use super::{too_short, yaml};

const HERE: &str = "deploy/kubernetes/";
/// Labels that say of a pod that it plays a role of ours.
const OURS: (&str, &str) = ("app.kubernetes.io/name", "rethread");
const PROBES: [(&str, &str); 3] =
    [("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")];

pub(super) fn check(tree: &Tree, file: &File, documents: &[Value], drain_s: u64) -> Vec<Finding> {
    if !file.path.starts_with(HERE) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for document in documents {
        let kind = document["kind"].as_str().unwrap_or_default();
        if kind.is_empty() || document["apiVersion"].as_str().is_none() {
            found.push("a document without `apiVersion` and `kind`".to_owned());
        }
        match kind {
            "Kustomization" => found.extend(missing_resources(tree, file, document)),
            "Deployment" if pod_labels(document)[OURS.0] == OURS.1 => {
                found.extend(role(document, drain_s));
            }
            _ => {}
        }
        if let Some(message) = selects_other_pods(document) {
            found.push(message);
        }
    }
    found.into_iter().map(|message| Finding::whole(&file.path, message)).collect()
}

/// Each budget, policy and autoscaler speaks of something that is there.
pub(super) fn check_selectors(tree: &Tree) -> Vec<Finding> {
    let read = |file: &File| yaml::documents(&file.text).unwrap_or_default();
    let files: Vec<(&File, Vec<Value>)> = tree
        .files
        .iter()
        .filter(|file| file.path.starts_with(HERE) && file.has_extension(&["yaml"]))
        .map(|file| (file, read(file)))
        .collect();
    let documents = || files.iter().flat_map(|(_, documents)| documents);
    let is_selected =
        |wanted: &Value| documents().any(|document| is_subset(wanted, pod_labels(document)));
    let is_there = |name: &str| {
        documents().any(|document| {
            document["kind"] == "Deployment" && document["metadata"]["name"] == name
        })
    };
    let mut findings = Vec::new();
    for (file, document) in files.iter().flat_map(|(file, all)| all.iter().map(move |d| (file, d)))
    {
        let selector = match document["kind"].as_str() {
            Some("PodDisruptionBudget" | "PodMonitor") => &document["spec"]["selector"],
            Some("NetworkPolicy") => &document["spec"]["podSelector"],
            _ => &Value::Null,
        };
        let wanted = &selector["matchLabels"];
        if wanted.is_object() && !is_selected(wanted) {
            let message = format!("selects pods that nothing makes: {wanted}");
            findings.push(Finding::whole(&file.path, message));
        }
        let target = document["spec"]["scaleTargetRef"]["name"].as_str();
        if let Some(target) = target.filter(|target| !is_there(target)) {
            findings
                .push(Finding::whole(&file.path, format!("scales `{target}`, which is not there")));
        }
    }
    findings
}

fn pod_labels(document: &Value) -> &Value {
    &document["spec"]["template"]["metadata"]["labels"]
}

fn is_subset(wanted: &Value, labels: &Value) -> bool {
    let Some(wanted) = wanted.as_object() else { return false };
    labels.is_object() && wanted.iter().all(|(key, value)| labels[key] == *value)
}

fn selects_other_pods(document: &Value) -> Option<String> {
    let wanted = &document["spec"]["selector"]["matchLabels"];
    let labels = pod_labels(document);
    (labels.is_object() && !is_subset(wanted, labels))
        .then(|| format!("its selector {wanted} does not select its own pods"))
}

fn missing_resources(tree: &Tree, file: &File, document: &Value) -> Vec<String> {
    let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let resources = document["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    resources
        .iter()
        .filter_map(Value::as_str)
        .filter(|resource| tree.get(&format!("{directory}/{resource}")).is_none())
        .map(|resource| format!("resource `{resource}` is not there"))
        .collect()
}

/// What a deployment of a role lacks.
fn role(document: &Value, drain_s: u64) -> Vec<String> {
    let pod = &document["spec"]["template"]["spec"];
    let mut found = Vec::new();
    let grace = pod["terminationGracePeriodSeconds"].as_u64();
    found.extend(too_short("terminationGracePeriodSeconds", grace, drain_s));
    if pod["securityContext"]["runAsNonRoot"] != true {
        found.push("`runAsNonRoot: true` is missing".to_owned());
    }
    let containers = pod["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    for container in containers {
        for (probe, path) in PROBES {
            let request = &container[probe]["httpGet"];
            if request["path"] != path {
                found.push(format!("`{probe}` does not ask {path}"));
            } else if !names_a_port(container, &request["port"]) {
                found.push(format!("`{probe}` asks a port that the container does not name"));
            }
        }
        let security = &container["securityContext"];
        if security["allowPrivilegeEscalation"] != false
            || security["readOnlyRootFilesystem"] != true
            || security["capabilities"]["drop"][0] != "ALL"
        {
            found.push("a container may do more than it needs".to_owned());
        }
        let resources = &container["resources"];
        if resources["requests"]["cpu"].is_null() || resources["limits"]["memory"].is_null() {
            found.push("requests of CPU and a limit of memory are missing".to_owned());
        }
    }
    found
}

fn names_a_port(container: &Value, port: &Value) -> bool {
    let ports = container["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    ports.iter().any(|named| named["name"] == *port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "deploy/kubernetes/a.yaml";
    const ROLE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: rethread}}
  template:
    metadata: {labels: {app.kubernetes.io/name: rethread, x: y}}
    spec:
      terminationGracePeriodSeconds: 45
      securityContext: {runAsNonRoot: true}
      containers:
        - ports: [{name: admin, containerPort: 1}]
          startupProbe: {httpGet: {path: /startupz, port: admin}}
          livenessProbe: {httpGet: {path: /livez, port: admin}}
          readinessProbe: {httpGet: {path: /readyz, port: admin}}
          resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
";

    fn messages(text: &str) -> Vec<String> {
        let tree = Tree::of(&[(PLACE, text)]);
        let documents = yaml::documents(text).expect("reads");
        let found = [check(&tree, &tree.files[0], &documents, 30), check_selectors(&tree)].concat();
        found.iter().map(|finding| finding.message().to_owned()).collect()
    }

    #[test]
    fn a_role_is_probed_drained_and_locked_in() {
        assert_eq!(messages(ROLE), Vec::<String>::new());
        let breaches = [
            ("Seconds: 45", "Seconds: 30", "less than a drain"),
            ("/livez", "/readyz", "`livenessProbe` does not ask /livez"),
            ("name: admin", "name: http", "does not name"),
            ("RootFilesystem: true", "RootFilesystem: false", "more than it needs"),
            ("limits: {memory: 1Gi}", "limits: {}", "limit of memory"),
            ("matchLabels: {app.kubernetes.io/name: rethread}", "matchLabels: {a: b}", "own pods"),
        ];
        for (from, to, expected) in breaches {
            let found = messages(&ROLE.replace(from, to));
            assert!(found.iter().any(|message| message.contains(expected)), "{to}: {found:?}");
        }
    }

    #[test]
    fn what_is_spoken_of_is_there() {
        let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\n\
                      spec: {selector: {matchLabels: {x: y}}}\n";
        assert!(messages(&format!("{ROLE}---\n{budget}")).is_empty());
        assert!(messages(budget)[0].contains("selects pods that nothing makes"));
        let scaler = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\n\
                      spec: {scaleTargetRef: {name: worker}}\n";
        assert!(messages(&format!("{ROLE}---\n{scaler}")).is_empty());
        assert!(messages(scaler)[0].contains("`worker`, which is not there"));
        let all = "apiVersion: v1\nkind: Kustomization\nresources: [a.yaml, b.yaml]\n";
        assert_eq!(messages(all), ["resource `b.yaml` is not there"]);
    }
}
