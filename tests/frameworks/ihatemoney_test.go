package frameworks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"gobridge/tests/server"
)

// TestIHateMoney serves I Hate Money, in which people keep account of what they have spent
// together: a Flask application with SQLAlchemy, migrations, sessions, translations and an API.
func TestIHateMoney(t *testing.T) {
	t.Parallel()
	mustBeTold(t, "I Hate Money", versions(t, "requirements-applications.txt")["ihatemoney"])
	dir := t.TempDir()
	settings := filepath.Join(dir, "settings.cfg")
	must(t, os.WriteFile(settings, fmt.Appendf(nil, `
SQLALCHEMY_DATABASE_URI = "sqlite:///%s"
SECRET_KEY = "of a test"
SESSION_COOKIE_SECURE = False  # it is served without TLS
MAIL_SUPPRESS_SEND = True
`, filepath.Join(dir, "budget.db")), 0o600))
	v := ofApplications.serve(t, server.Config{
		Application: "ihatemoney.wsgi:application", Dir: dir,
		Env: []string{keepsBytecode, "IHATEMONEY_SETTINGS_FILE_PATH=" + settings},
	})
	v.see("/", "Manage your shared")
	startProject(v)
	addBill(v)
	importBills(v)
	askAPI(v)
	if p := v.get("/fahrrad/nowhere"); p.status != http.StatusNotFound {
		v.Errorf("a page that is not there: status %d", p.status)
	}
}

func startProject(v *visitor) {
	p := v.submit("/create", url.Values{
		"name": {"Fahrradtour ans Meer"}, "id": {"fahrrad"}, "password": {"secret"},
		"contact_email": {"a@example.org"}, "default_currency": {"XXX"},
	})
	if p.path != "/fahrrad/" {
		v.Fatalf("the new project leads to %s\n%s", p.path, p.body)
	}
	for _, name := range []string{"Jürgen", "Zoë"} {
		v.mustShow(v.submit("/fahrrad/members/add", url.Values{"name": {name}, "weight": {"1"}}), name)
	}
	v.see("/static/css/main.css")
}

// addBill has one of them pay for both.
func addBill(v *visitor) {
	form := v.see("/fahrrad/add", "Jürgen")
	payer := v.find(form, `<option[^>]* value="(\d+)"[^>]*>Jürgen<`)
	other := v.find(form, `<option[^>]* value="(\d+)"[^>]*>Zoë<`)
	v.mustShow(v.submit("/fahrrad/add", url.Values{
		"date": {"2026-05-01"}, "what": {"Käse & Brot"}, "payer": {payer}, "amount": {"12.50"},
		"original_currency": {"XXX"}, "bill_type": {"Expense"}, "payed_for": {payer, other},
	}), "Käse &amp; Brot", "12.50")
	v.see("/fahrrad/statistics", "12.50", "6.25")
	v.see("/fahrrad/settle_bills", "6.25")
	v.see("/lang/de")
	v.see("/fahrrad/statistics", "Statistik")
}

// importBills uploads a file, and downloads what has come of it.
func importBills(v *visitor) {
	bills := "date,what,amount,payer_name,payer_weight,owers,currency,bill_type\n" +
		"2026-05-02,Fähre,30.0,Zoë,1,\"Jürgen, Zoë\",XXX,Expense\n"
	fields := hidden(v.see("/fahrrad/edit").body)
	v.mustShow(v.post("/fahrrad/import", fields, file{"file", "bills.csv", "text/csv", []byte(bills)}), "Fähre")
	v.mustShow(v.get("/fahrrad/export/bills.csv"), "Fähre", "Käse & Brot")
}

// askAPI asks as a program does, with a password and without a session.
func askAPI(v *visitor) {
	request, err := http.NewRequest("GET", v.server.URL("/api/projects/fahrrad/bills"), nil)
	must(v, err)
	client := v.server.Client()
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		password string
		status   int
	}{{"wrong", http.StatusUnauthorized}, {"secret", http.StatusOK}} {
		request.SetBasicAuth("fahrrad", c.password)
		response, err := client.Do(request)
		must(v, err)
		defer response.Body.Close()
		if response.StatusCode != c.status {
			v.Errorf("the API answers the password %q with %s", c.password, response.Status)
		}
		if c.status == http.StatusOK {
			var bills []struct{ Amount float64 }
			must(v, json.NewDecoder(response.Body).Decode(&bills))
			if len(bills) != 2 {
				v.Errorf("the API knows %d bills, want 2", len(bills))
			}
		}
	}
}
