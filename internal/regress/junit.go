package regress

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Result is what became of a case: Err where it is unusable, Failures where it
// fails, Skipped with the reason where it was not run.
type Result struct {
	Name     string
	Elapsed  time.Duration
	Failures []Failure
	Err      error
	Skipped  string
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Time    string     `xml:"time,attr"`
	Failure *junitNote `xml:"failure"`
	Error   *junitNote `xml:"error"`
	Skipped *junitNote `xml:"skipped"`
}

type junitNote struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes results as JUnit's XML, which CI systems read.
func WriteJUnit(w io.Writer, suite string, elapsed time.Duration, results []Result) error {
	s := junitSuite{Name: suite, Tests: len(results), Time: seconds(elapsed)}
	for i := range results {
		r := &results[i]
		c := junitCase{Class: suite, Name: r.Name, Time: seconds(r.Elapsed)}
		switch {
		case r.Err != nil:
			s.Errors++
			c.Error = &junitNote{Message: clean(r.Err.Error())}
		case r.Skipped != "":
			s.Skipped++
			c.Skipped = &junitNote{Message: clean(r.Skipped)}
		case len(r.Failures) > 0:
			s.Failures++
			var b strings.Builder
			for _, f := range r.Failures {
				fmt.Fprintf(&b, "%s\n%s\n", f.Error(), f.Detail)
			}
			c.Failure = &junitNote{Message: clean(r.Failures[0].Error()), Text: clean(b.String())}
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   junitSuite
	}{Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// clean replaces what XML cannot hold.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
