# The licenses that licensee knows: prints a JSON object of their texts.
require "json"
require "licensee"

licenses = Licensee.licenses(hidden: true).reject(&:pseudo_license?)
puts JSON.generate(licenses.to_h { |license| [license.key, license.content] })
