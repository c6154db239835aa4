package natssink

import (
	"net/url"
	"strings"
)

// redact takes credentials out of server addresses, for logs.
func redact(urls string) string {
	list := strings.Split(urls, ",")
	for i, s := range list {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil && u.User != nil {
			u.User = url.User("***")
			list[i] = u.String()
		} else if err != nil {
			list[i] = "(unreadable address)"
		}
	}
	return strings.Join(list, ",")
}
