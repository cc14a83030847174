package edge

// ParseHealth is for the fuzz test.
var ParseHealth = parseHealth
