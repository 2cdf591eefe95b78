# What GitHub Linguist says of files: reads a JSON list of [path, content] and prints one of
# [language or null, documentation, vendored].
require "json"
require "linguist"

files = JSON.parse($stdin.read)
answers = files.map do |path, content|
  blob = Linguist::Blob.new(path, content)
  [blob.language&.name, blob.documentation? ? true : false, blob.vendored? ? true : false]
end
puts JSON.generate(answers)
