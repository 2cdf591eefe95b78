# A Rails app's way of talking to the daemon: Ruby's gRPC, stubs generated from proto/.
#
# Usage: ruby client.rb STUBS ADDRESS TOKEN STORAGE RELATIVE_PATH
# Creates the repository, waits for a line on standard input (the caller fills it meanwhile), then finds a
# commit, lists references, reads a tree and streams a blob. Prints one JSON object.

require "json"
require "openssl"

stubs, address, token, storage, relative_path = ARGV
$LOAD_PATH.unshift(stubs)

require "gitaly_py/pb/blob_services_pb"
require "gitaly_py/pb/commit_services_pb"
require "gitaly_py/pb/ref_services_pb"
require "gitaly_py/pb/repository_services_pb"

# Makes clients whose calls carry a fresh token each, as the Rails app does.
class Client
  def initialize(address, token)
    @address = address
    @token = token
  end

  def stub(service)
    service::Stub.new(@address, :this_channel_is_insecure)
  end

  def metadata
    issued = Time.now.to_i.to_s
    signature = OpenSSL::HMAC.hexdigest("SHA256", @token, issued)
    { "authorization" => "Bearer v2.#{signature}.#{issued}", "client_name" => "gitlab-web" }
  end
end

client = Client.new(address, token)
repository = Gitaly::Repository.new(storage_name: storage, relative_path: relative_path)

client.stub(Gitaly::RepositoryService)
  .create_repository(Gitaly::CreateRepositoryRequest.new(repository: repository), metadata: client.metadata)
puts "created"
$stdout.flush
$stdin.gets

commits = client.stub(Gitaly::CommitService)
found = commits.find_commit(
  Gitaly::FindCommitRequest.new(repository: repository, revision: "main"), metadata: client.metadata
)
missing = commits.find_commit(
  Gitaly::FindCommitRequest.new(repository: repository, revision: "no-such-branch"), metadata: client.metadata
)
entries = commits.get_tree_entries(
  Gitaly::GetTreeEntriesRequest.new(repository: repository, revision: "main", path: ".", recursive: true),
  metadata: client.metadata
).flat_map { |message| message.entries.to_a }
references = client.stub(Gitaly::RefService).list_refs(
  Gitaly::ListRefsRequest.new(repository: repository, patterns: ["refs/"], head: true), metadata: client.metadata
).flat_map { |message| message.references.to_a }
blob = entries.find { |entry| entry.path == "big" }
size = nil
data = String.new
client.stub(Gitaly::BlobService).get_blob(
  Gitaly::GetBlobRequest.new(repository: repository, oid: blob.oid, limit: -1), metadata: client.metadata
).each do |message|
  size ||= message.size
  data << message.data
end
refused =
  begin
    commits.find_commit(Gitaly::FindCommitRequest.new(repository: repository, revision: "main"), metadata: {})
  rescue GRPC::BadStatus => error
    error.code
  end

puts JSON.generate(
  commit: found.commit.id,
  subject: found.commit.subject,
  missing: missing.commit.nil?,
  entries: entries.map { |entry| [entry.mode.to_s(8), entry.type.to_s, entry.oid, entry.path] },
  references: references.map { |reference| [reference.name, reference.target] },
  blob_size: size,
  blob_sha: OpenSSL::Digest::SHA256.hexdigest(data),
  without_token: refused
)
