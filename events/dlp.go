package events

// DLP is our data-loss event.
type DLP struct {
	PolicyRule string `json:"policy_rule"`
	// Level is public, internal, confidential or restricted.
	Level string `json:"level"`
	// Action is what the policy decided: allow, alert, block, reset, quarantine.
	Action string `json:"action"`
	// Enforced is false when the action was only judged (monitor, ids, replay, shadow).
	Enforced bool `json:"enforced"`
	// Channel is the way out: http-request, http-response, smtp, ftp, smb, raw …
	Channel string `json:"channel"`
	// Direction is egress, ingress, internal or external.
	Direction string `json:"direction"`
	Reason    string `json:"reason,omitempty"`
	// BytesReleased counts the object's bytes that had left before the decision.
	BytesReleased uint64       `json:"bytes_released"`
	Object        DLPObject    `json:"object"`
	Findings      []DLPFinding `json:"findings"`
	Tags          []string     `json:"tags,omitempty"`
	Shadow        bool         `json:"shadow,omitempty"`
	// Exception tells that the rule is one, and Owner who answers for it.
	Exception bool   `json:"exception,omitempty"`
	Owner     string `json:"owner,omitempty"`
	// Unscannable is why the content could not be read to the end.
	Unscannable string `json:"unscannable,omitempty"`
	Evidence    string `json:"evidence,omitempty"`
}

// DLPObject names the object that held the findings.
type DLPObject struct {
	Name string `json:"name"`
	// Type is the media type by content.
	Type   string `json:"type"`
	Size   uint64 `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	// Path names the way into containers: report.zip!/q3.xlsx!/Sheet1.
	Path string `json:"path,omitempty"`
}

// DLPFinding counts one detector's findings in an object.
type DLPFinding struct {
	Detector   string `json:"detector"`
	Count      int    `json:"count"`
	Unique     int    `json:"unique"`
	Confidence string `json:"confidence"`
	// Masked shows at most the last characters of up to three values.
	Masked []string `json:"masked"`
	// Hashes are keyed hashes of those values for correlation.
	Hashes []string `json:"hashes,omitempty"`
	// Path is set where it differs from the object's.
	Path string `json:"path,omitempty"`
}
